"""The OpenAPI document.

Read in this order:

- ``document``: the document, made from the operations of ``bff.web.blueprint``.
- ``json_schema``: our marshmallow fields as JSON Schema, where apispec needs help.

An operation's own text stands on its view in ``bff.web.endpoints``, a member's on its field in
``bff.web.schemas``.
"""
