"""Builds and tests the Android demo as far as it goes without Gradle and without a phone."""
