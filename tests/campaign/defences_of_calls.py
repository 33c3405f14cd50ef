"""The lines that keep calls to Rokt safe and their contents secret: the broken form of each."""

from __future__ import annotations

from collections.abc import Mapping

from tests.campaign.breakages import Breakage
from tests.campaign.defences import Defence

WAY = "tests/integration/rokt/test_transport.py::test_"
NAMES = "tests/integration/rokt/test_connect.py::test_"
SIZES = "tests/integration/rokt/test_response_sizes.py::test_"
MASKS = "tests/unit/rokt/test_redaction.py::test_"
LIMITS = "tests/integration/rokt/test_client_limits.py::test_"


def line(module: str, line: str, instead: str, test: str) -> Defence:
    return Defence(Breakage(module, line, instead), test)


CALLS: Mapping[str, Defence] = {
    "certificates are verified": line(
        "rokt/transport.py", "allow_redirects=False,", "allow_redirects=False, verify=False,",
        f"{WAY}an_unknown_authority_is_not_told_the_key",
    ),
    "a redirect leads nowhere": line(
        "rokt/transport.py", "allow_redirects=False,", "allow_redirects=True,",
        f"{LIMITS}a_redirect_is_not_followed",
    ),
    "the key goes through no proxy unencrypted": line(
        "rokt/transport.py",
        "proxies=dict(_NO_PROXIES) if is_loopback(urlsplit(url).hostname) else None,", "",
        f"{WAY}no_proxy_comes_between_servers_of_one_machine",
    ),
    "no password of a file is sent": line(
        "rokt/transport.py", "session.auth = _no_auth  # else a .netrc could add credentials", "pass",
        f"{WAY}no_password_of_a_netrc_is_sent",
    ),
    "cookies are not kept": line(
        "rokt/transport.py", "session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))",
        "pass", f"{LIMITS}cookies_are_not_kept",
    ),
    "what did not go out was not sent": line(
        "rokt/transport.py", "if not timer.sent:", "if False:",
        f"{WAY}an_unknown_authority_is_not_told_the_key",
    ),
    "what went out may have arrived": line(
        "rokt/transport.py", "timer.sent = True", "pass",
        f"{LIMITS}a_connection_that_breaks_after_the_request_is_not_repeated",
    ),
    "the limit holds before the request": line(
        "rokt/transport.py", "timer.watch(sock)", "pass",
        f"{WAY}the_limit_holds_against_a_proxy_that_drips",
    ),
    "the limit holds for a kept connection": line(
        "rokt/transport.py", "timer.watch(self.sock)", "pass",
        f"{WAY}the_limit_holds_for_a_second_call_of_a_connection",
    ),
    "what is cut off by the limit is no answer": line(
        "rokt/transport.py", "if timer.ended:", "if False:",
        f"{LIMITS}the_limit_holds_against_a_body_without_an_announced_end",
    ),
    "an answer has a size": line(
        "rokt/transport.py", "if size > MAX_RESPONSE:", "if False:",
        f"{SIZES}what_has_no_end_is_cut_off",
    ),
    "also unpacked": line(
        "rokt/transport.py", "body = decompressor.decompress(body, MAX_RESPONSE + 1)",
        "body = decompressor.decompress(body)",
        f"{SIZES}a_small_answer_that_unpacks_to_gigabytes_takes_little_memory",
    ),
    "a part is no answer": line(
        "rokt/transport.py", "if not decompressor.eof:", "if False:",
        f"{SIZES}what_cannot_be_unpacked_is_no_answer",
    ),
    "the limit is for all addresses": line(
        "rokt/connect.py", "end = time.monotonic() + seconds", 'end = float("inf")',
        f"{NAMES}the_limit_holds_for_all_addresses_of_a_name_together",
    ),
    "an address leaves time for the next": line(
        "rokt/connect.py",
        "sock = _connect(addresses[-1 - others], time_left / 2 if others else time_left, options)",
        "sock = _connect(addresses[-1 - others], time_left, options)",
        f"{NAMES}an_address_that_leads_nowhere_leaves_time_for_the_next",
    ),
    "a look-up has a limit": line(
        "rokt/connect.py", "found = running.result(timeout=seconds)", "found = running.result()",
        f"{NAMES}the_limit_holds_against_a_name_server_that_is_silent",
    ),
    "look-ups are shared": line(
        "rokt/connect.py", "running = _looking_up.setdefault(key, own)",
        "running = _looking_up[key] = own",
        f"{NAMES}the_limit_holds_against_a_name_server_that_is_silent",
    ),
    # --- nothing leaks ---
    "of a request its form is shown": line(
        "rokt/redaction.py",
        "return {_name(name): _shown(call, name, value) for name, value in body.items()}",
        "return dict(body)", f"{MASKS}attributes_keep_their_names_and_lose_their_values",
    ),
    "of a response what is read is shown": line(
        "rokt/redaction.py",
        "name: value for name, value in found.items() if _may_show(name, value, ours, folded)",
        "name: value for name, value in found.items()",
        f"{MASKS}a_response_shows_nothing_that_it_repeats",
    ),
    "of ids those that are ours": line(
        "rokt/redaction.py",
        'value in ours or (name == "itemReservationId" and bool(_RESERVATION.fullmatch(value)))',
        "True",
        f"{MASKS}a_response_shows_nothing_that_it_repeats",
    ),
    "a code that repeats what was sent is left out": line(
        "rokt/redaction.py", "return bool(looks_so) and not _repeats(text, private)", "return True",
        f"{MASKS}a_refusal_tells_no_code_that_repeats_what_was_sent",
    ),
    "no row of the database is logged": line(
        "store/engine.py", "return record.levelno >= logging.INFO", "return True",
        "tests/security/test_private_logs.py::test_no_row_of_the_database_is_logged",
    ),
    "no value shows a call's body": line(
        "rokt/calls.py", "body: bytes = field(repr=False)", "body: bytes",
        "tests/security/test_reprs.py::test_no_class_has_such_a_field_in_its_repr",
    ),
    "no error repeats a name that a caller made up": line(
        "web/schemas/fields.py",
        "name = id_or_position(key, position) if self._repeats_ids else str(position)", "name = key",
        "tests/integration/web/test_problems.py::"
        "test_a_problem_repeats_no_name_and_no_path_that_the_caller_made_up",
    ),
    "a password's @ makes no name of a host": line(
        "config/readers.py",
        'if "@" in (parsed.host or ""):  # the driver would log a part of the password',
        "if False:", "tests/integration/server/test_passwords.py::test_no_command_repeats_a_password",
    ),
    "half a character fails no confirm": line(
        "rokt/calls.py",
        'return text.encode(errors="replace")', "return text.encode()",
        "tests/integration/checkout/test_odd_text.py::"
        "test_what_a_shop_passes_on_is_told_to_rokt_with_a_question_mark",
    ),
}  # fmt: skip
