"""What is asked and when: arrivals, lengths, recorded and synthetic traces."""
