"""What the transports and the composition share about sockets: deadlines, certificates, bounds."""
