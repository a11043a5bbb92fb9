"""Each quirk of OCPI peers in the field (ocpi.md §21, Q1 to Q45) is one test that bears its number."""
