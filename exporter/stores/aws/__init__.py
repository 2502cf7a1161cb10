"""What Amazon's services share: credentials, endpoints, signatures, SDK clients on our transport."""
