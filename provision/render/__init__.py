"""Rendering: Plan -> Bundle, one small writer a backend. Pure but for reading its templates."""
