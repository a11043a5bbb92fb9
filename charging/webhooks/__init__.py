"""Webhooks by the Standard Webhooks specification 1.0: when an attempt is made, and how one goes."""
