"""The lines that keep attackers out: the broken form of each, and the test that fails then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.campaign.breakages import Breakage


@dataclass(frozen=True, slots=True)
class Defence:
    """One line of defence. ``test`` fails without it."""

    broken: Breakage
    test: str


def _line(module: str, line: str, instead: str, test: str) -> Defence:
    return Defence(Breakage(module, line, instead), test)


GUARD = "tests/integration/web/test_guard.py::test_"
WALK = "tests/security/test_closed_routes.py::test_no_route_lets_anybody_in_who_may_not_and_nothing_changes"
HARD = "tests/integration/server/test_insecure_settings.py::test_"
SECURITY = "tests/unit/config/test_security.py::test_"
CLIENTS = "tests/unit/web/test_rate_limits.py::test_"
LIMITS = "tests/integration/web/test_rate_limits.py::test_"
BOUNDS = "tests/integration/web/test_bounds.py::test_"
HEADERS = "tests/integration/server/test_headers.py::test_"
PROBLEMS = "tests/integration/web/test_problems.py::test_"
STORE = "tests/integration/store/test_database.py::test_"
MONEY = "tests/security/test_money_attacks.py::test_"
ENDS = "tests/integration/checkout/test_session_expiry.py::test_"
FIXED = "tests/integration/checkout/test_session_fixation.py::test_"

DEFENCES: Mapping[str, Defence] = {
    # --- who may call ---
    "a view that says nothing is closed": _line(
        "web/guard.py", 'raise Forbidden("This route has no access rule, so it is closed.", code=Code.CLOSED)',
        "return Access()", f"{GUARD}a_view_that_does_not_say_whose_it_is_is_closed",
    ),
    "the blueprint asks the guard": _line(
        "web/blueprint.py", "g.rokt_bff_access = admit(caller_of(view), request, runtime())",
        "g.rokt_bff_access = Access(by_cookie=True)", WALK,
    ),
    "a view that answers OPTIONS is asked too": _line(
        "web/blueprint.py",
        'if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):',
        'if request.method == "OPTIONS":',
        f"{GUARD}a_view_that_answers_options_itself_passes_the_guard_too",
    ),
    "bodies are declared as JSON": _line("web/guard.py", "_check_media_type(request)", "pass", WALK),
    "server calls need the key": _line(
        "web/guard.py", "_check_server(request, here.settings)", "pass", WALK
    ),
    "no browser makes a server's call": _line(
        "web/guard.py",
        'if any(x == "Origin" or x.startswith("Sec-Fetch-") for x, _ in request.headers):',
        "if False:", f"{GUARD}a_browser_is_refused_even_with_the_server_key",
    ),
    "no key is not the previous key": _line(
        "web/guard.py", 'good |= hmac.compare_digest(key, previous) and previous != b""',
        "good |= hmac.compare_digest(key, previous)", f"{GUARD}a_server_call_needs_the_server_key",
    ),
    "both keys are compared every time": _line(
        "web/guard.py", 'good |= hmac.compare_digest(key, previous) and previous != b""',
        'good = good or (previous != b"" and hmac.compare_digest(key, previous))',
        f"{GUARD}each_server_key_is_compared_in_constant_time_every_time",
    ),
    "the bridge's header is there": _line("web/guard.py", "_check_header(request)", "pass", WALK),
    "foreign pages are refused": _line(
        "web/guard.py", "if page is Page.FOREIGN or (page is Page.ELSEWHERE and by_cookie):",
        "if False:", WALK,
    ),
    "a cookie is no use to another site": _line(
        "web/guard.py", "if page is Page.FOREIGN or (page is Page.ELSEWHERE and by_cookie):",
        "if page is Page.FOREIGN:",
        f"{GUARD}an_allowed_page_on_another_site_has_no_use_of_a_cookie",
    ),
    "nor to read with": _line(
        "web/shopper.py", "return access.handle or (kept_handle() if access.by_cookie else None)",
        "return access.handle or kept_handle()",
        f"{GUARD}an_allowed_page_on_another_site_has_no_use_of_a_cookie",
    ),
    "without Origin the site is our own": _line(
        "web/guard.py", 'return Page.OURS if site == "same-origin" else Page.FOREIGN',
        'return Page.OURS if site in {None, "none", "same-origin"} else Page.FOREIGN',
        f"{GUARD}a_call_that_no_browser_header_vouches_for_is_refused",
    ),
    "two signs agree": _line(
        "web/guard.py",
        'if origin == _own_origin(request, here) and site in {None, "same-origin"}:',
        "if origin == _own_origin(request, here):",
        f"{GUARD}two_signs_that_contradict_each_other_are_refused",
    ),
    "a rebound name is not our own": _line(
        "web/guard.py",
        'return f"{request.scheme}://{request.host}" if _is_address(name) else None',
        'return f"{request.scheme}://{request.host}"',
        f"{GUARD}a_name_that_somebody_lets_point_here_is_not_our_own",
    ),
    "another name than the public one is refused": _line(
        "web/guard.py", "_check_host(request, here)", "pass",
        f"{HARD}a_reading_call_by_another_name_is_refused_where_ours_is_known",
    ),
    "a server's route is not shared with pages": _line(
        "web/cors.py", "if caller_of(app.view_functions[rule.endpoint]) is Caller.SERVER:", "if False:",
        "tests/integration/web/test_cors.py::test_a_server_s_route_tells_no_page_anything",
    ),
    "an origin is exact": _line(
        "web/cors.py",
        'origins=[re.compile(rf"{re.escape(origin)}\\Z") for origin in settings.origins],',
        "origins=list(settings.origins),",
        "tests/integration/web/test_cors.py::test_an_allowed_origin_is_told_to_its_exact_spelling_only",
    ),
    # --- sessions ---
    "a handle is 256 random bits": _line(
        "store/handles.py", "return secrets.token_urlsafe(32)", "return secrets.token_urlsafe(16)",
        f"{STORE}a_handle_has_256_random_bits",
    ),
    "the database has its hash only": _line(
        "store/handles.py", "return hashlib.sha256(handle.encode()).hexdigest()", "return handle",
        f"{STORE}the_handle_is_in_no_file_of_the_database",
    ),
    "an old handle buys nothing newer": _line(
        "store/handles.py", "quotes.c.created_at < sessions.c.rotated_at,", "",
        f"{FIXED}a_planted_handle_does_not_buy_what_the_shopper_chose_after_the_login",
    ),
    "an old handle buys not for long": _line(
        "store/handles.py", "sessions.c.rotated_at > now - PAYS_BY_OLD_HANDLE,", "",
        f"{FIXED}an_old_handle_pays_for_half_an_hour",
    ),
    "a new handle replaces the old one": _line(
        "store/handles.py",
        ".values(handle_hash=hash_handle(new), previous_hash=hash_handle(old), rotated_at=now)",
        ".values(previous_hash=hash_handle(new), rotated_at=now)",
        f"{FIXED}a_planted_handle_reads_and_changes_nothing_after_the_login",
    ),
    "what a login overtakes takes no cookie away": _line(
        "store/handles.py", "if connection.execute(moved).first() is not None:", "if False:",
        "tests/integration/checkout/test_login_race.py::test_an_update_that_a_login_overtakes_is_asked_for_again",
    ),
    "a press has one key": _line(
        "store/quotes.py", "kept = replace(quote, quote_id=quote_id)", "kept = quote",
        "tests/integration/checkout/test_instant_purchase.py"
        "::test_a_press_is_one_charge_whatever_happens_until_it_is_repeated",
    ),
    "a press is charged at one total": _line(
        "store/quotes.py",
        "if quote is None or (first is not None and first.totals != quote.totals):",
        "if quote is None:",
        "tests/integration/checkout/test_instant_purchase.py::test_a_repetition_at_another_total_charges_nobody",
    ),
    "a first handle ends at a login": _line(
        "extension/verbs.py", "drop_first_handle()", "pass",
        f"{FIXED}a_planted_first_handle_is_no_handle_after_the_login",
    ),
    "a session ends when it is idle": _line(
        "store/sessions.py", "query = query.where(sessions.c.expires_at > now)", "pass",
        f"{ENDS}a_session_ends_a_day_after_its_last_change",
    ),
    "a session ends for good": _line(
        "store/sessions.py", "return min(now + idle, created_at + LONGEST_SESSION)",
        "return now + idle",
        f"{ENDS}a_session_that_is_used_every_day_ends_after_thirty",
    ),
    "the cookie is signed": _line(
        "web/shopper.py", "return _signer(suffix).unsign(signed).decode()",
        'return signed.rsplit(".", 1)[0] or None', f"{GUARD}a_forged_cookie_is_no_session",
    ),
    "no script reads the cookie": _line(
        "web/shopper.py", "httponly=True,", "httponly=False,",
        f"{GUARD}the_handle_in_the_cookie_never_reaches_the_page",
    ),
    "the cookie goes by TLS": _line(
        "web/shopper.py", "secure=runtime().secure_cookies,", "secure=False,",
        f"{GUARD}over_tls_the_cookie_is_one_that_no_other_host_can_plant",
    ),
    "no other host plants the cookie": _line(
        "web/shopper.py", 'return f"__Host-{COOKIE}" if runtime().secure_cookies else COOKIE', "return COOKIE",
        f"{GUARD}over_tls_the_cookie_is_one_that_no_other_host_can_plant",
    ),
    "the cookie is for our own pages": _line(
        "web/shopper.py", 'samesite="Strict" if strict else "Lax",',
        'samesite=current_app.config["SESSION_COOKIE_SAMESITE"] or "Lax",',
        f"{HARD}our_cookie_is_never_one_for_other_sites",
    ),
    "Flask-WTF leaves our calls to the guard": _line(
        "extension/setup.py",
        "request_started.connect(exempt, app, weak=False)", "pass",
        "tests/integration/extension/test_init_app.py::test_flask_wtf_and_the_guard_live_beside_each_other",
    ),
    # --- what does not start ---
    "the start asks what is insecure": _line(
        "extension/setup.py", "problems.extend(insecure(settings, app.config, host, wrong))", "pass",
        f"{HARD}a_shop_that_would_be_insecure_does_not_start_and_all_is_told_at_once",
    ),
    "secrets are long": _line(
        "config/security.py",
        "if 0 < len(key) < SHORTEST_SECRET and not is_developed(settings):", "if False:",
        f"{SECURITY}a_short_secret_is_refused_unless_rokt_is_the_emulator",
    ),
    "secrets are different ones": _line(
        "config/security.py", "if secret and (other := first.setdefault(secret, name)) != name:",
        "if secret and (other := first.setdefault(name, name)) != name:",
        f"{SECURITY}no_secret_is_another_one_too",
    ),
    "pages come by TLS": _line(
        "config/security.py", "yield from _addresses(settings)", "pass",
        f"{SECURITY}pages_come_by_tls_or_from_this_machine",
    ),
    "a shop's cookie goes by TLS": _line(
        "config/security.py", "yield from _shop(settings, config)", "pass",
        f"{SECURITY}a_shop_s_cookie_goes_by_tls_outside_of_development",
    ),
    "a server that others reach is behind TLS": _line(
        "config/security.py", "yield from _open_host(settings, config, host)", "pass",
        f"{SECURITY}a_server_that_others_reach_is_behind_tls",
    ),
    # --- money ---
    "what is dearer than was seen is not charged": _line(
        "cart/quote.py", "charged = [row for row in reserved if not row.is_dearer()]",
        "charged = reserved",
        f"{MONEY}what_a_page_claims_of_an_item_does_not_change_its_price",
    ),
    "nor what Rokt locked in other money": _line(
        "rokt/responses.py",
        "if currency != asked.currency or not is_currency(asked.currency):", "if False:",
        f"{MONEY}what_a_page_claims_of_an_item_does_not_change_its_price",
    ),
    "a quantity has an end": _line(
        "web/schemas/sdk_items.py", "if quantity > settings.max_quantity:", "if False:",
        f"{MONEY}what_a_page_claims_of_an_item_does_not_change_its_price",
    ),
    "what is granted is what is charged": _line(
        "rokt/reserve.py", "quantity=grant.quantity,", "quantity=row.item.quantity,",
        f"{MONEY}more_than_there_is_is_not_charged",
    ),
    "a reservation is its session's": _line(
        "store/reservations.py", "reservations.c.session_id == session_id,", "",
        f"{MONEY}another_shopper_s_item_is_theirs",
    ),
    "consent is to a price": _line(
        "cart/reservation.py", "return self.unit_price > self.seen_price",
        "return self.unit_price > self.seen_price and self.accepted_price is None",
        f"{MONEY}less_than_is_locked_cannot_be_agreed_to",
    ),
    "and to what was shown": _line(
        "cart/reservation.py", "before = [row.accepted_price for row in stale if row.is_for(line)]",
        "before = [row.accepted_price for row in stale]",
        f"{MONEY}a_price_is_agreed_to_for_what_was_shown",
    ),
    "no other page agrees": _line(
        "web/guard.py", "if page is Page.FOREIGN or (page is Page.ELSEWHERE and by_cookie):",
        "if False:", f"{MONEY}nobody_agrees_for_somebody_else",
    ),
    "a sweep leaves alone what somebody reserves for": _line(
        "outbox/sweep.py", "if session is not None and _is_leased(connection, session, now):",
        "if False:",
        "tests/integration/store/test_clock.py::"
        "test_a_sweep_leaves_alone_what_somebody_reserves_for_whatever_its_clock_says",
    ),
    "a quote is bought once": _line(
        "checkout/new_order.py",
        "if quote.quote_id not in before:",
        "if True:", "tests/integration/checkout/test_confirm.py::test_the_next_order_without_a_quote_has_no_upsell",
    ),
    "what is reserved again is no dearer": _line(
        "outbox/renewal.py", "if grant is not None and is_as_good(grant, row):", "if grant is not None:",
        f"{MONEY}a_quote_of_yesterday_s_price_buys_nothing_dearer",
    ),
    "a quote is its session's": _line(
        "store/quotes.py",
        "query = select(quotes.c.document).where(quotes.c.session_id == session_id)",
        "query = select(quotes.c.document)", f"{MONEY}another_shopper_s_quote_is_theirs",
    ),
    "an order is its session's": _line(
        "checkout/confirm.py",
        "if known.session_id != session.id:",
        "if False:", f"{MONEY}another_shopper_s_quote_is_theirs",
    ),
    "a quote is of the cart as it is": _line(
        "checkout/reserve.py",
        "if session is not None and session.cart.version == started.session.cart.version:",
        "if session is not None:", f"{MONEY}what_is_changed_while_rokt_is_asked_is_asked_for_too",
    ),
    "what was quoted is what is confirmed": _line(
        "checkout/new_order.py", "quote = find_quote(connection, session.id, purchase.quote_id)",
        "quote = find_quote(connection, session.id)",
        f"{MONEY}what_is_changed_after_the_quote_is_not_in_it",
    ),
    "a press buys what it says": _line(
        "checkout/instant_purchase.py", "return difference(request, quote.items)", "return None",
        f"{MONEY}a_press_of_a_price_of_its_own_buys_nothing",
    ),
    "so does its repetition": _line(
        "extension/instant_purchase.py", "if begun.order is not None and begun.reason is None:",
        "if begun.order is not None:",
        f"{MONEY}a_press_that_is_repeated_buys_what_was_pressed_first_or_nothing",
    ),
    "the key is no use to a page": _line(
        "web/guard.py",
        'if any(x == "Origin" or x.startswith("Sec-Fetch-") for x, _ in request.headers):',
        "if False:", f"{MONEY}a_browser_confirms_cancels_and_sells_nothing",
    ),
    "what the database has is no handle": _line(
        "store/sessions.py", "query = select(sessions).where(sessions.c.handle_hash == hash_handle(handle))",
        "query = select(sessions).where(sessions.c.handle_hash.in_([hash_handle(handle), handle]))",
        f"{MONEY}what_is_known_of_a_session_is_no_handle",
    ),
    "a planted handle moves no money": _line(
        "store/handles.py",
        ".values(handle_hash=hash_handle(new), previous_hash=hash_handle(old), rotated_at=now)",
        ".values(previous_hash=hash_handle(new), rotated_at=now)",
        f"{MONEY}a_handle_planted_before_the_login_moves_no_money_after_it",
    ),
    # --- how much ---
    "sessions are counted": _line(
        "web/rate_limits.py", "Limit.SESSIONS: RateLimitItemPerMinute(settings.sessions_per_minute),",
        "Limit.SESSIONS: RateLimitItemPerMinute(10**9),",
        f"{LIMITS}one_address_starts_only_so_many_sessions_a_minute",
    ),
    "also those that an update starts": _line(
        "web/shopper.py", "runtime().limits.count(Limit.SESSIONS, request)", "pass",
        f"{LIMITS}one_address_starts_only_so_many_sessions_a_minute",
    ),
    "updates are counted": _line(
        "web/rate_limits.py",
        "Limit.UPDATES: RateLimitItemPerSecond(settings.updates_per_second_client),",
        "Limit.UPDATES: RateLimitItemPerSecond(10**9),",
        f"{LIMITS}one_address_sends_only_so_many_updates_a_second",
    ),
    "calls to Rokt are counted": _line(
        "web/rate_limits.py", "Limit.CALLS: RateLimitItemPerMinute(settings.calls_per_minute),",
        "Limit.CALLS: RateLimitItemPerMinute(10**9),",
        f"{LIMITS}one_address_has_rokt_called_only_so_often_a_minute",
    ),
    "a network of version 6 is one client": _line(
        "web/rate_limits.py", 'return f"{IPv6Address(int(address) >> 64 << 64)}/64"',
        "return str(address)", f"{CLIENTS}a_client_is_its_address_or_its_network_of_64_bits",
    ),
    "an unknown proxy is not everybody": _line(
        "web/rate_limits.py", "if forwarded and not is_known and address.is_private:", "if False:",
        f"{CLIENTS}nobody_is_counted_as_the_proxy_that_all_come_through",
    ),
    "nobody waits for a counter": _line(
        "web/rate_limits.py", '"socket_timeout": REDIS_SECONDS,', '"socket_timeout": 10.0,',
        f"{LIMITS}a_redis_that_hangs_keeps_nobody_waiting",
    ),
    "without Redis there is a count": _line(
        "web/rate_limits.py", "except StorageError as error:", "except TimeoutError as error:",
        f"{LIMITS}without_redis_each_server_counts_for_itself_and_says_so_once",
    ),
    "also those of one session": _line(
        "web/rate_limits.py",
        'self._count(self._session_updates, "Too many updates.", "session", session)',
        "pass", f"{BOUNDS}too_many_updates_a_second_are_told_when_to_come_again",
    ),
    "a cart has an end": _line(
        "cart/updates.py", "if held is None and place is None and len(cart.lines) >= max_lines:",
        "if False:",
        f"{BOUNDS}the_51st_line_is_refused_and_an_old_line_can_still_change",
    ),
    "so have its texts": _line(
        "cart/updates.py", "if text > MAX_TEXT_OF_CART and text > _text(cart):", "if False:",
        f"{BOUNDS}the_texts_of_a_cart_have_an_end_together",
    ),
    "a text has a length": _line(
        "web/schemas/fields.py", "rules = [validate.Length(least or None, most), rule]", "rules = [rule]",
        "tests/unit/web/test_sdk_items.py::test_texts_are_bounded_and_hold_what_a_database_can_keep",
    ),
    "a body has a size": _line(
        "web/json_body.py", "if len(body) > most:", "if False:",
        "tests/integration/web/test_bad_input.py::test_a_large_body_is_refused",
    ),
    "a body has a depth": _line(
        "web/json_body.py", "if _is_deeper(data, MAX_DEPTH):", "if False:",
        "tests/unit/web/test_json_body.py::test_a_body_may_be_nested_32_deep_and_no_deeper",
    ),
    "what a shop adds to a confirm has a size": _line(
        "web/schemas/fields.py", "if len(value) > MAX_MEMBERS:", "if False:",
        "tests/unit/web/test_requests.py::test_further_members_are_bounded_as_the_description_says",
    ),
    "also its texts": _line(
        "web/schemas/fields.py", "if len(value) > MAX_VALUE:", "if False:",
        f"{BOUNDS}further_members_of_a_confirm_are_bounded",
    ),
    "and it is JSON": _line(
        "web/schemas/fields.py", "if isinstance(value, float) and not isfinite(value):", "if False:",
        "tests/unit/web/test_requests.py::test_a_number_that_can_be_read_and_not_be_written_is_refused",
    ),
    # --- what a browser is told ---
    "answers bind the browser": _line(
        "server/serve.py", "protect(app, runtime(app).settings)", "pass",
        f"{HEADERS}every_answer_carries_them",
    ),
    "no request tells two lengths": _line(
        "server/channel.py", 'if is_chunked_too or "TRANSFER_ENCODING" in self.headers:', "if False:",
        f"{HEADERS}what_is_not_a_request_is_refused_and_not_repeated",
    ),
    "each connection is ours": _line(
        "server/serve.py", "one.channel_class = Channel", "pass",
        f"{HEADERS}what_is_not_a_request_is_refused_and_not_repeated",
    ),
    "no redirect to a name that the caller chose": _line(
        "web/blueprint.py",
        "merge_slashes=False,  # a redirect would go to the Host that the caller named", "",
        f"{PROBLEMS}nobody_is_sent_on_to_a_path_of_ours",
    ),
    "two slashes are nowhere": _line(
        "web/catch_all.py", 'regex = r"(?s:.+?)"', 'regex = r"(?s:[^/].*?)"',
        f"{PROBLEMS}what_is_not_there_is_a_problem_document_even_in_a_shop_with_error_pages",
    ),
    "so is a method that nobody knows": _line(
        "web/catch_all.py",
        "app.url_map.add(Rule(rule, endpoint=endpoint, strict_slashes=False, merge_slashes=False))",
        'app.url_map.add(Rule(rule, endpoint=endpoint, methods=["GET", "POST"]))',
        f"{PROBLEMS}what_is_not_there_is_a_problem_document_even_in_a_shop_with_error_pages",
    ),
}  # fmt: skip
