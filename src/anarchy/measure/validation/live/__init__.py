"""The simulator beside the real Dynamo 0.9.0, which ran live with engines that keep time."""
