"""The compiled loop of systems whose memory is not paged."""
