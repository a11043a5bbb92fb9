"""From what a user wishes to what the charge point is told: plans and OCPI charging profiles. Pure."""
