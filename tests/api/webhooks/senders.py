"""Senders of webhooks, as they sign: the real client of Standard Webhooks, and Shopify's scheme."""

import base64
import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from standardwebhooks import Webhook

OLD, NEW = (f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}" for _ in range(2))
SHOPIFY_OLD, SHOPIFY_NEW = (secrets.token_hex(16) for _ in range(2))
SOURCES = [
    {"name": "shop", "kind": "standard", "secrets": [OLD, NEW]},
    {"name": "shopify", "kind": "shopify", "secrets": [SHOPIFY_OLD, SHOPIFY_NEW]},
]


def now(seconds: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def standard(
    body: bytes, message_id: str = "msg_1", secret: str = NEW, at: datetime | None = None
) -> dict[str, str]:
    """Headers that the real client makes."""
    moment = at or now()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def shopify(body: bytes, topic: str, secret: str = SHOPIFY_NEW) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Webhook-Id": secrets.token_hex(8),
        "X-Shopify-Shop-Domain": "example.myshopify.com",
    }


def payload(kind: str = "order.completed", **data: Any) -> bytes:
    moment = now().isoformat()
    told = {"userId": "hook", **data}
    return json.dumps({"type": kind, "timestamp": moment, "data": told}).encode()


def order(order_id: int = 7, **changes: Any) -> dict[str, Any]:
    """An order as Shopify tells of it, shortened."""
    return {
        "id": order_id,
        "email": "jane@example.org",
        "created_at": now(-60).isoformat(),
        "cancelled_at": None,
        "currency": "EUR",
        "total_price": "23.80",
        "subtotal_price": "20.00",
        "total_tax": "2.80",
        "total_discounts": "1.50",
        "taxes_included": False,
        "total_shipping_price_set": {"shop_money": {"amount": "1.00", "currency_code": "EUR"}},
        "discount_codes": [{"code": "TEA5", "amount": "1.50", "type": "fixed_amount"}],
        "note_attributes": [{"name": "segue_visitor", "value": "browser-1"}],
        "customer": {"id": 5, "email": "jane@example.org", "first_name": "Jane"},
        "line_items": [
            {
                "id": 1,
                "product_id": 11,
                "title": "Oolong",
                "vendor": "Oolong & Sons",
                "variant_title": "100 g",
                "sku": "T-1",
                "price": "10.00",
                "quantity": 2,
            }
        ],
        **changes,
    }
