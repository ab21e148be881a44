"""Policies that look ahead: trained by stable-baselines3, served by numpy."""

__all__: list[str] = []
