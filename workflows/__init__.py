"""Durable and deterministic: workflows orchestrate, rules decide, activities do all I/O."""
