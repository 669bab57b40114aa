"""Synthetic dermoscopy, drawn by code: textures, lesions of eight classes, skin and artefacts."""
