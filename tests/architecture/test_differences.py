"""Each row of docs/differences.md is shown by a test: by which one, by the row's first words.

A test is a file and a function; what has no file is a case of the comparison with Traefik
(``tests/oracle``), which fails as soon as the difference is gone.
"""

import re
from pathlib import Path

import pytest

from tests.oracle.differences import DIFFERENCES
from tests.oracle.test_compat import NOT_UNDONE, VARIES

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
_COPIES = "oracle/test_oracle.py::test_the_api_lists_the_same_routers"
_FILE = "unit/middleware/test_basic_auth.py::test_a_changed_file_is_read_again"
_FORGED = "unit/middleware/test_basic_auth.py::test_the_header_of_the_user_cannot_be_forged"
_LIMITS = "integration/test_limits.py::test_a_rate_survives_changes_and_killed_workers"
_RATE = "unit/middleware/test_rate_limit.py::"
_CIRCUITS = "unit/middleware/test_circuit_breaker.py::test_its_state_outlives_a_new_table"
_NO_PAGE = "unit/middleware/test_errors.py::test_what_has_no_content_to_replace_passes"
_REALM = "unit/middleware/test_basic_auth.py::test_everything_else_is_refused"
_FAILURES = ("co-refused: /, Accept-Encoding: gzip", "ct-refused: /")
_SWITCH = "unit/middleware/test_headers.py::test_a_switch_of_protocols_gets_the_fields_too"
_PAGES = (
    _NO_PAGE,
    "unit/middleware/test_errors.py::test_a_service_of_pages_may_use_the_middleware_itself",
    "unit/middleware/test_errors.py::test_of_ranges_that_overlap_the_narrowest_counts",
)
_NO_URLS = (
    "unit/middleware/test_redirect_scheme.py::test_options_that_cannot_work",
    "unit/middleware/test_forward_auth.py::test_options_that_cannot_work",
)
_NO_PATH = "unit/middleware/test_replace_path.py::test_what_is_no_path_is_refused"
_REFUSED = "integration/test_exchange_failures.py::test_other_server_is_asked_when_one_refuses"
_RENEWED = (
    "integration/test_tls_process.py::test_a_changed_file_is_served_and_old_connections_live_on",
    "integration/test_tls_process.py::test_a_pair_that_is_half_renewed_stays_what_it_was",
)
_WILDCARD = "integration/test_acme_end_to_end.py::test_a_wildcard_needs_dns"
_VANISHED = "integration/test_acme_manager.py::test_vanished_names_are_served_and_not_renewed"
_PLACES = "integration/test_acme_places.py::test_the_way_back_to_traefik"
_SERVICES = "oracle/test_compat_services.py::"
_WITHOUT_BODY = "oracle/test_compat.py::test_an_answer_does_not_wait_for_the_body"
_INTERIM = "unit/proxy/upstream/test_h1.py::"
_OURS = "integration/test_differences.py::"
_SNIFFED = ("answer: early hints", "answer: two interim")

ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "Requests": {
        "**Refusals say why.**": (
            f"{_OURS}test_refusals_say_why",
            f"{_OURS}test_a_404_says_why",
        ),
        "**What RFC 9112 forbids": (
            "body: length and chunked",
            "body: two lengths, equal",
            "body: coding in HTTP/1.0",
            "body: chunked twice",
            "bad: folded field",
            "request: GET *",
            "query passed on: fragment",
            "bad: Host with a bad port",
            "bad: version 3.0",
        ),
        "A head with more": (
            "integration/test_hostile_requests.py::test_what_must_not_be_forwarded_is_refused",
        ),
        "Absolute targets": ("line: foreign scheme",),
        "A line that can become no request": (
            f"{_OURS}test_a_line_without_a_version_is_refused_at_once",
        ),
        "An empty line": ("bad: empty line first",),
        "A body that comes too late": ("limit: slow body", "body: bad chunk size"),
        "What is answered without": (_WITHOUT_BODY,),
        "What is refused because": (f"{_OURS}test_the_connection_ends_with_a_refusal",),
        "`maxHeaderBytes` is exact": ("limit: header a little larger", "limit: very many fields"),
        "`idleTimeout: 0`": ("unit/proxy/test_entrypoint.py::test_no_idle_timeout",),
        "HTTP/1.0 requests": ("1.0: early hints", "1.0: expectation"),
    },
    "Header fields": {
        "An untrusted client": ("forwarded: spoofed, untrusted", "forwarded: spoofed, not listed"),
        "An empty `X-Forwarded-For`": ("forwarded: trusted, empty",),
        "Trailers of requests": ("body: chunked with trailers", "header: hop-by-hop"),
        "Traefik asks servers for `gzip`": (
            f"{_OURS}test_the_server_gets_what_the_client_sent",
            "header: empty user agent",
            "header: user agent twice",
        ),
        "A field kept by": ("header: kept by option",),
        "Field names keep": (
            f"{_OURS}test_the_server_gets_what_the_client_sent",
            f"{_OURS}test_fields_keep_their_order",
        ),
    },
    "Routing": {
        "`HostRegexp`": ("host: regexp with dot",),
        "Redirections of an entry point": ("redirection: no Host to keep",),
        "A router with `parentRefs`": (
            "unit/control/runtime/test_layers.py::test_reasons_to_disable_a_child",
            "oracle/test_oracle.py::test_the_api_describes_routers_alike",
        ),
        "An entry point that refuses": (_COPIES,),
    },
    "Answers": {
        "A server that breaks off": ("answer: cut head", "answer: cut body"),
        "`rateLimit`, `inFlightReq` count": (
            _LIMITS,
            "oracle/test_compat_changes.py::test_what_is_forgotten_with_a_configuration",
            "oracle/test_compat.py::test_a_bucket_is_full_after_a_pause",
            "limit: rl-down",
            f"{_RATE}test_a_request_that_one_limit_refuses_counts_for_none",
        ),
        "A path rewritten by": ("rpr-bounds: /axxb", "rpr-noslash: /api/x"),
        "A `replacePath`": (_NO_PATH,),
        "A `scheme` or `port`": _NO_URLS,
        "`compress` leaves": (
            "co: text/event-stream, 2400, accept: br",
            'co: text/plain, 2400, ETag: "abc", accept: gzip',
            "co: text/plain, 2400, accept: BR",
            "co: text/plain, 2400, accept: *",
        ),
        "`retry` repeats": (
            (
                "unit/middleware/test_retry.py"
                "::test_an_overloaded_server_gets_a_fifth_more_and_not_twice_as_much"
            ),
        ),
        "`buffering` lets": (
            "unit/middleware/test_buffering.py::test_streams_of_clients_pass",
            "unit/middleware/test_buffering.py::test_streams_pass",
            ("unit/middleware/test_buffering.py::test_a_server_says_whether_it_is_to_be_buffered"),
            "unit/middleware/test_retry.py::test_a_stream_of_the_client_is_not_kept_for_another_try",
        ),
        "A `retryExpression`": (
            "bu-retry-any: GET 0 fails with 503",
            (
                "unit/middleware/test_buffering.py"
                "::test_an_overloaded_server_gets_a_fifth_more_and_not_twice_as_much"
            ),
        ),
        "`circuitBreaker` counts": (
            f"{_CIRCUITS}_but_not_new_options",
            (
                "unit/middleware/test_circuit_breaker.py"
                "::test_a_long_download_is_a_slow_answer_in_traefik_only"
            ),
        ),
        "`grpcWeb`": (
            "gw: grpc-web from http://a.test answered by chunks without trailers",
            "gw: grpc-web from http://a.test answered by a page in chunks",
            "gw: grpc-web-text from http://a.test answered by status and content",
        ),
        "No `Content-Type`": (*_SNIFFED, "answer: 304 with a type"),
    },
    "Labels and files": {
        "A bad label": (
            (
                "unit/providers/edgerouter_docker/test_translate.py"
                "::test_a_mistake_in_labels_drops_the_container_as_traefik_does"
            ),
            (
                "unit/providers/edgerouter_file/test_provider.py"
                "::test_what_is_right_in_a_file_that_was_never_good"
            ),
        ),
        "An empty element": ("unit/config/test_decode.py::test_names_have_no_gaps",),
        "Options that Traefik ignores": (
            "unit/config/test_labels.py::test_mistakes",
            "oracle/test_labels.py::test_labels",
        ),
        "Where a label was": (
            (
                "unit/providers/edgerouter_docker/test_translate.py"
                "::test_no_router_takes_the_place_of_one_with_mistakes"
            ),
        ),
        "Labels and roots of files": (
            "unit/config/test_labels.py::test_labels_that_nobody_reads",
            "unit/config/test_labels.py::test_a_group_that_is_off_by_mistake_is_told",
            (
                "unit/providers/edgerouter_file/test_provider.py"
                "::test_a_root_that_nobody_knows_is_told_and_blocks_nothing"
            ),
        ),
        "A definition under a name": (
            "unit/config/test_containers.py::test_a_container_that_loses_a_router_shares_no_service",
        ),
    },
    "Containers": {
        "Unhealthy, starting": (
            "docker/test_router_containers.py::test_health",
            "docker/test_router_containers.py::test_paused",
            "docker/test_router_containers.py::test_unhealthy_loses_its_route_when_told_so",
            "oracle/test_labels.py::test_labels",
        ),
        "Networks and ports": (
            "unit/providers/edgerouter_docker/test_network.py::test_port_rules",
            "unit/providers/edgerouter_docker/test_translate.py::test_own_networks_decide",
            "unit/providers/edgerouter_docker/test_translate.py::test_the_port_that_answers",
            "unit/providers/edgerouter_docker/test_translate.py::test_the_network_by_which_it_answers",
        ),
        "Requests wait for a service": (
            "docker/test_turnover.py::test_recreation_of_the_only_container",
            "docker/test_turnover.py::test_rolling_update",
        ),
    },
    "Not undone by compat": {
        "Findings stay": ("unit/config/test_labels.py::test_labels_that_nobody_reads",),
        "A container that is not": ("oracle/test_labels.py::test_a_container_that_is_kept",),
        "A mistake in the options": ("oracle/test_labels.py::test_files_that_traefik_refuses",),
        "A server that sends more than 1 MB": (
            f"{_INTERIM}test_interim_answers_without_end_are_given_up",
        ),
        "No `Content-Type`": ("oracle/test_compat.py::test_the_type_of_chunks_is_not_guessed",),
        "What came of a body": ("answer: cut body",),
        "What is answered without": (_WITHOUT_BODY,),
        "A late request body": ("limit: slow body",),
        "The API says of routers": (
            "oracle/test_compat.py::test_the_api_describes_the_same_routers",
        ),
        "Fields are sorted": ("oracle/test_compat.py::test_where_date_and_connection_stand",),
        "Of middlewares": (),
        "What middlewares remember": (
            "oracle/test_compat_changes.py::test_what_is_forgotten_with_a_configuration",
            "unit/worker/test_builder.py::test_state_ends_with_a_version_in_traefik",
        ),
        "A Redis that refuses": ("limit: rl-down",),
        "What protects": (
            "unit/control/test_representation.py::test_credentials_in_addresses_are_not_shown",
            _SWITCH,
            "unit/middleware/test_headers.py::test_options_that_cannot_work",
            _FORGED,
            "unit/middleware/test_basic_auth.py::test_too_many_checks_at_once_are_refused",
        ),
        "`grpcWeb`": ("gw: grpc-web-text from http://a.test answered by a page",),
        "A `replacePath`": ("c-path-4:, GET",),
        "`errors`": (
            "unit/middleware/test_errors.py::test_of_ranges_that_overlap_the_narrowest_counts",
            'c-page-echo:, GET, X-Echo: {"status": 500, "body": "xyz", "chunked": true}',
        ),
        "`contentType` within": ('c-within:, GET, Accept-Encoding: br, X-Echo: {"body": "x"}',),
        "Of services": (),
        "A server that refuses": (_REFUSED,),
        "Of a transport": (f"{_SERVICES}test_transports_that_reach_nobody",),
        "Options that could never": (
            "unit/control/runtime/test_runtime.py::test_reasons_to_disable_a_service",
            "unit/control/runtime/test_transports.py::test_negative_times_are_taken_for_the_defaults",
        ),
        "A service without any": (f"{_SERVICES}test_a_service_without_servers_is_down",),
        "What passive checks": (f"{_SERVICES}test_what_passive_checks_found_survives_a_change",),
        "Of TLS": (),
        "Certificate files": _RENEWED,
        "What OpenSSL does not": (
            "unit/tls/test_options.py::test_curves_openssl_lacks_are_said_and_left_out",
        ),
        "A wildcard that": (_WILDCARD, _VANISHED),
        "Where certificates": (_PLACES,),
        "The access log": ("oracle/test_settings.py::test_access_log",),
    },
    "Middlewares": {
        "`basicAuth`, `digestAuth`: a `usersFile`": (
            _FILE,
            "integration/test_admin_api.py::test_options_of_middlewares_are_shown_alike",
            "unit/middleware/test_basic_auth.py::test_too_many_checks_at_once_are_refused",
        ),
        "`basicAuth`, `digestAuth`: what the client": (_FORGED,),
        "`forwardAuth`: what a client": (
            "unit/middleware/test_forward_auth.py::test_no_client_can_say_who_it_is",
        ),
        "`digestAuth`: a nonce": (
            "unit/middleware/test_digest_auth.py::test_all_workers_accept_a_nonce",
            "unit/middleware/test_digest_auth.py::test_an_old_nonce_is_stale",
            "unit/middleware/test_digest_auth.py::test_shorter_paths_as_traefik",
        ),
        "`forwardAuth`: the server": (
            "unit/middleware/test_forward_auth.py::test_what_it_is_told",
            "unit/middleware/test_forward_auth.py::test_a_sign_in_stays_on_the_host",
        ),
        "`headers`": (
            "unit/middleware/test_headers.py::test_options_that_cannot_work",
            "integration/test_middlewares.py::test_headers_cannot_frame_a_message",
            "unit/middleware/test_basic_auth.py::test_options_that_cannot_work",
        ),
        "`errors`": _PAGES,
        "`compress`, `contentType`": _FAILURES,
        "`basicAuth`, `digestAuth`: quotes": (_REALM,),
        "`stripPrefixRegex`": (
            "integration/test_middlewares.py::test_a_removed_prefix_cannot_bring_fields",
        ),
    },
    "Services": {
        "A service without a server": (
            "answer: no server",
            f"{_OURS}test_without_a_server_clients_learn_when_to_come_again",
        ),
        "An `https://` server": ("oracle/test_services.py::test_servers_that_are_not_trusted",),
        "`minVersion`": (
            "unit/proxy/upstream/test_tls.py::test_versions_and_suites",
            (
                "unit/control/runtime/test_transports.py"
                "::test_a_mistake_takes_https_servers_out_of_service"
            ),
        ),
        "Health checks": (
            "unit/control/test_health.py::test_a_server_is_probed_at_once_and_again",
            "integration/test_services.py::test_health_outlives_reloads",
        ),
        "`failover`": (f"{_OURS}test_failover_needs_no_health_checks",),
        "A server that refuses": (_REFUSED,),
        "A `sameSite`": (
            "unit/control/runtime/test_runtime.py::test_reasons_to_disable_a_service",
        ),
        "`strategy: p2c`": ("unit/services/test_strategies.py::test_p2c_minds_weights",),
        "A service that does not exist": (
            "unit/control/runtime/test_runtime.py::test_a_mirror_that_cannot_be_takes_nothing_along",
            (
                "unit/control/runtime/test_runtime.py"
                "::test_what_is_missing_is_left_out_while_others_can_answer"
            ),
        ),
        "A mirror without": ("oracle/test_services.py::test_mirrors_without_bodies",),
    },
    "TLS": {
        "Suites": ("oracle/test_tls.py::test_difference",),
        "Certificate files": _RENEWED,
        "Curves with MLKEM": (
            "unit/tls/test_options.py::test_curves_openssl_lacks_are_said_and_left_out",
            "unit/tls/test_options.py::test_only_protocols_that_are_spoken_are_offered",
        ),
        "The self-signed": (f"{_OURS}test_the_default_certificate_has_an_elliptic_curve_key",),
        "Names of routers": (
            (
                "integration/test_acme_end_to_end.py"
                "::test_names_that_no_public_ca_certifies_have_the_internal_one"
            ),
        ),
        "[ACME](acme.md#storage)": (
            "integration/test_acme_places.py::test_a_file_that_is_mounted_alone_keeps_everything",
            _PLACES,
        ),
        "A wildcard that": (_WILDCARD,),
        "[ACME](acme.md):": (
            "integration/test_acme_manager.py::test_the_ca_says_when_to_renew",
            (
                "integration/test_acme_manager.py"
                "::test_a_wanted_certificate_is_obtained_and_renewed_by_age"
            ),
            _VANISHED,
        ),
        "`/api/certificates`": ("unit/control/certificates/test_inventory.py::test_status",),
    },
    "Logs": {
        "The program log": (
            "unit/config/test_static_defaults.py::test_the_level_of_the_log",
            f"{_OURS}test_the_log_tells_what_happens_and_not_only_errors",
        ),
        "The access log": ("oracle/test_settings.py::test_access_log",),
    },
    "Not served yet": {
        "HTTP/2": ("integration/test_tls.py::test_alpn",),
        "TCP and UDP": (
            "unit/control/runtime/test_runtime.py::test_tcp_and_udp_are_shown_and_said_to_be_unserved",
        ),
        "Plug-ins": (
            "unit/config/test_loader.py::test_an_option_we_lack_starts_with_exactly_one_warning",
        ),
        "Metrics": (
            "unit/config/test_loader.py::test_an_option_we_lack_starts_with_exactly_one_warning",
        ),
    },
}


def rows() -> list[tuple[str, str]]:
    """Return the section and the text of every row of the page."""
    found, section = [], ""
    text = (ROOT / "docs" / "differences.md").read_text()
    for heading, row in re.findall(r"^## (.+)$|^ *\* (.+)$", text, re.MULTILINE):
        section = heading or section
        if row:
            found.append((section, row))
    return found


@pytest.mark.parametrize(("section", "row"), rows())
def test_every_row_has_its_test(section: str, row: str) -> None:
    assert len([words for words in ROWS[section] if row.startswith(words)]) == 1


def test_every_test_has_its_row() -> None:
    told = rows()
    for section, known in ROWS.items():
        for words in known:
            assert any(each[0] == section and each[1].startswith(words) for each in told), words


@pytest.mark.parametrize(
    "name", sorted({t for rows in ROWS.values() for row in rows.values() for t in row})
)
def test_the_test_exists(name: str) -> None:
    file, separator, function = name.partition("::")
    if separator:
        assert f"def {function}(" in (TESTS / file).read_text()
    else:
        assert name in {*DIFFERENCES, *NOT_UNDONE, *VARIES}
