"""The catalogue of stories: every situation the demo plants, and how often.

`feed` tells each at least as often as `at_least` says and fills up by weight. A story's name and
docstring are its documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reconciler.demo.scene import Scene, World
from reconciler.demo.stories import deals, deals_won, payments, quotes, refunds


class Recipe(NamedTuple):
    """A story, its share of the feed, and the least number of times it is told."""

    tell: Callable[[World], Scene]
    weight: int = 1
    at_least: int = 1

    @property
    def name(self) -> str:
        return f"{self.tell.__module__.rpartition('.')[2]}.{self.tell.__name__}"


RECIPES: tuple[Recipe, ...] = (
    Recipe(deals_won.won, 8),
    Recipe(deals_won.won_with_discounts, 5),
    Recipe(deals_won.won_with_fractions, 4),
    Recipe(deals_won.won_with_tax, 5),
    Recipe(deals_won.won_with_missing_products, 4),
    Recipe(deals_won.won_with_awkward_missing_product, 2, at_least=3),
    Recipe(deals_won.won_by_awkward_name, 3, at_least=9),
    Recipe(deals_won.won_by_one_of_two_namesakes, at_least=2),
    Recipe(deals_won.won_by_known_customer),
    Recipe(deals_won.won_by_namesake_of_customer),
    Recipe(deals_won.won_by_namesake_of_vendor),
    Recipe(deals_won.won_by_thin_events, 6),
    Recipe(deals_won.won_with_lines_by_association, 3),
    Recipe(deals_won.won_in_pieces, 3),
    Recipe(deals_won.won_after_a_line_was_removed, 2),
    Recipe(deals_won.won_before_it_had_a_contact, 2),
    Recipe(deals_won.won_with_stale_snapshot_after, 4),
    Recipe(deals_won.won_after_empty_line_list, 2),
    Recipe(deals_won.won_then_reopened, 2),
    Recipe(deals.won_without_lines, 2),
    Recipe(deals.won_without_contact, 2),
    Recipe(deals.won_and_lines_never_come, 2),
    Recipe(deals.won_and_line_details_never_come),
    Recipe(deals.won_and_contact_never_comes),
    Recipe(deals.won_and_contact_details_never_come),
    Recipe(deals.lost, 3),
    Recipe(deals.still_open, 3),
    Recipe(deals.contract_sent, 4),
    Recipe(deals.contract_sent_then_won, 3),
    Recipe(deals.checked_out, 4),
    Recipe(deals.won_in_the_east, 4, at_least=3),
    Recipe(deals.won_in_the_east_by_ineligible_contact, 2),
    Recipe(deals.won_in_the_east_with_missing_product, 2),
    Recipe(deals.won_in_the_east_with_retired_product),
    Recipe(deals.won_in_canada, 2),
    Recipe(quotes.signed_by_one_then_both, 5),
    Recipe(quotes.signed_by_one_of_two, 3),
    Recipe(quotes.signed_by_nobody, 2, at_least=2),
    Recipe(quotes.signed_with_date, 3),
    Recipe(quotes.signed_status, 3),
    Recipe(quotes.signed_without_contact),
    Recipe(quotes.signed_and_lines_never_come),
    Recipe(quotes.approved_without_signature, 5),
    Recipe(quotes.paid_online, 4),
    Recipe(quotes.drafted, 2),
    Recipe(payments.collected, 10),
    Recipe(payments.collected_seen_once, 4),
    Recipe(payments.collected_without_fee, 3),
    Recipe(payments.collected_lines_later, 3),
    Recipe(payments.recurring, 6),
    Recipe(payments.taxed, 3),
    Recipe(payments.taxable_by_group),
    Recipe(payments.without_contact),
    Recipe(payments.lines_never_come),
    Recipe(payments.of_an_invoice, 3, at_least=3),
    Recipe(payments.from_quickbooks, 2),
    Recipe(payments.migrated),
    Recipe(payments.failed, 3),
    Recipe(refunds.refunded, 4),
    Recipe(refunds.refunded_subscription, 2),
    Recipe(refunds.refunded_in_part, 3),
    Recipe(refunds.refunded_in_part_then_in_full, 3),
    Recipe(refunds.refunded_of_an_invoice, 2),
)
