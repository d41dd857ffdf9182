"""What members leave for each other off chain: files anywhere, sealed to their readers, named by digest or signed.

Knows neither chain nor torch. `README.md` beside this file says what remains visible to whom.
"""
