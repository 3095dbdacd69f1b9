"""Tests of occamhead.essence."""
