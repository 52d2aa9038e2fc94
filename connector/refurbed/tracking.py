"""The address where a customer follows a parcel. refurbed wants one for each shipped item, beside carrier and number.

Addresses are those that the carriers' own pages use; refurbed's carriers have the slugs of AfterShip.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from connector import RecordFailed
from connector.refurbed.shapes import URL

NUMBER = "{number}"
WELL_KNOWN: Mapping[str, str] = {
    "austrian-post": "https://www.post.at/sv/sendungsdetails?snr={number}",
    "austrian-post-registered": "https://www.post.at/sv/sendungsdetails?snr={number}",
    "brt-it": "https://vas.brt.it/vas/sped_det_show.hsm?referer=sped_numspe_par.htm&Nspediz={number}",
    "chronopost-france": "https://www.chronopost.fr/tracking-no-cms/suivi-page?listeNumerosLT={number}",
    "colissimo": "https://www.laposte.fr/outils/suivre-vos-envois?code={number}",
    "correos-spain": "https://www.correos.es/es/es/herramientas/localizador/envios/detalle?tracking-number={number}",
    "deutsch-post": "https://www.deutschepost.de/de/s/sendungsverfolgung.html?piececode={number}",
    "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id={number}",
    "dhl-germany": "https://www.dhl.de/de/privatkunden/pakete-empfangen/verfolgen.html?piececode={number}",
    "dpd": "https://tracking.dpd.de/status/en_US/parcel/{number}",
    "dpd-de": "https://tracking.dpd.de/status/de_DE/parcel/{number}",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr={number}",
    "gls": "https://gls-group.com/EU/en/parcel-tracking?match={number}",
    "hermes-de": "https://www.myhermes.de/empfangen/sendungsverfolgung/sendungsinformation#{number}",
    "inpost-paczkomaty": "https://inpost.pl/sledzenie-przesylek?number={number}",
    "postnl": "https://postnl.nl/tracktrace/?B={number}",
    "postnord": "https://www.postnord.se/en/our-tools/track-and-trace?shipmentId={number}",
    "swiss-post": "https://service.post.ch/ekp-web/ui/entry/search/{number}",
    "tnt": "https://www.tnt.com/express/en_us/site/shipping-tools/tracking.html?searchType=con&cons={number}",
    "ups": "https://www.ups.com/track?tracknum={number}",
}


def usable(template: str) -> bool:
    """Whether it is an http(s) address with a place for the number."""
    return NUMBER in template and URL.fits(template.replace(NUMBER, "1"))


def url(carrier: str, number: str, own: Mapping[str, str]) -> str:
    """The address for this parcel; `own` templates by the carrier's slug go first. Raises RecordFailed."""
    template = str(own.get(carrier) or WELL_KNOWN.get(carrier) or "").strip()
    if not template:
        raise RecordFailed(
            f"No tracking link is known for the carrier '{carrier}'. Enter one at the event procedure, under 'Tracking "
            "links'.",
            setting="tracking_urls",
        )
    if not usable(template):
        raise RecordFailed(
            f"The tracking link of the carrier '{carrier}' is {template!r}: it must begin with https:// (or http://) and "
            "hold the word number in braces.",
            setting="tracking_urls",
        )
    return template.replace(NUMBER, quote(number.strip(), safe=""))
