"""Trained runs looked at: their curves, and all measurements of their networks."""

from noisejax.measuring._curves import RunCurves as RunCurves
from noisejax.measuring._curves import read_curves as read_curves
from noisejax.measuring._diagnose import diagnose as diagnose
