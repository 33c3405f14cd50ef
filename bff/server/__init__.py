"""The standalone server, for pages on other origins: ``rokt-bff serve``.

serve    the app, its settings from the environment, and waitress
headers  the headers of every response
channel  the connections: requests with two lengths, requests that arrive byte by byte

Read ``serve`` first. The endpoints are in ``bff.web``.
"""
