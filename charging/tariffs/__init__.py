"""What a session costs, by an OCPI tariff. Pure."""
