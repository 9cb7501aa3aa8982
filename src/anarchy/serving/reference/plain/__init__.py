"""Systems whose memory is not paged: prefill, KV transfer, decode."""
