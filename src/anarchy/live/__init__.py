"""The source's own software, Dynamo v0.9.0, live on loopback with engines that keep time."""
