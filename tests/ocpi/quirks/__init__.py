"""Each quirk of OCPI peers in the field (docs/ocpi.md, Q1 to Q45) is one test that bears its number."""
