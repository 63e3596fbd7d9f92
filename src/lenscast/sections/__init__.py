"""Typed sections of an experiment, free of JAX: each is read from YAML and is itself what the physics takes.

`section` holds what all sections share, `errors` the words for what is wrong. Statistics bring sections of their own
(`lenscast.statistics`), and `lenscast.experiment` composes and checks them all.
"""
