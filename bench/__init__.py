"""Figures: each program here is one command that prints them beside what they are compared with."""
