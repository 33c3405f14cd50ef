"""The configuration: what can be set, how it is read, and which settings are insecure.

settings   ``Settings``: every setting with its default, read at once
readers    one reader for each kind of value: text, seconds, URL, origin
addresses  is a host this machine, is a text an origin
security   combinations of settings that are refused

Read ``settings`` first. ``bff.extension.setup`` gets the values from a Flask config, and
``bff.server.serve`` from the environment.
"""
