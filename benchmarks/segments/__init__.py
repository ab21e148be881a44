"""Real customers' segments: do they last, are they apart, do they know the future?"""
