"""Countries of delivery with PlentyONE's own numbers, and their states."""

from sandbox.plentyone.values import Record

# The order of the first 28 gives their real numbers; the numbers of the others are this tenant's.
_COUNTRIES = """
DE DEU Germany|AT AUT Austria|BE BEL Belgium|CH CHE Switzerland|CY CYP Cyprus|CZ CZE Czech Republic|DK DNK Denmark
ES ESP Spain|EE EST Estonia|FR FRA France|FI FIN Finland|GB GBR United Kingdom|GR GRC Greece|HU HUN Hungary
IT ITA Italy|IE IRL Ireland|LU LUX Luxembourg|LV LVA Latvia|MT MLT Malta|NO NOR Norway|NL NLD Netherlands
PT PRT Portugal|PL POL Poland|SE SWE Sweden|SG SGP Singapore|SK SVK Slovakia|SI SVN Slovenia|US USA United States
AU AUS Australia|CA CAN Canada|CN CHN China|JP JPN Japan|LT LTU Lithuania|LI LIE Liechtenstein|MC MCO Monaco
MX MEX Mexico|IN IND India|BR BRA Brazil|RU RUS Russia|RO ROU Romania|BG BGR Bulgaria|HR HRV Croatia|TR TUR Turkey
AE ARE United Arab Emirates|SA SAU Saudi Arabia|BH BHR Bahrain|KW KWT Kuwait|QA QAT Qatar|OM OMN Oman|IL ISR Israel
EG EGY Egypt|MA MAR Morocco|TN TUN Tunisia|DZ DZA Algeria|ZA ZAF South Africa|NG NGA Nigeria|KE KEN Kenya
GH GHA Ghana|ET ETH Ethiopia|SN SEN Senegal|TZ TZA Tanzania|UG UGA Uganda|MU MUS Mauritius|IS ISL Iceland
AL ALB Albania|AD AND Andorra|BA BIH Bosnia and Herzegovina|ME MNE Montenegro|MK MKD North Macedonia|RS SRB Serbia
MD MDA Moldova|UA UKR Ukraine|BY BLR Belarus|SM SMR San Marino|VA VAT Vatican City|GI GIB Gibraltar
FO FRO Faroe Islands|GL GRL Greenland|GG GGY Guernsey|JE JEY Jersey|IM IMN Isle of Man|GE GEO Georgia
AM ARM Armenia|AZ AZE Azerbaijan|KZ KAZ Kazakhstan|UZ UZB Uzbekistan|PK PAK Pakistan|BD BGD Bangladesh
LK LKA Sri Lanka|NP NPL Nepal|TH THA Thailand|VN VNM Vietnam|MY MYS Malaysia|ID IDN Indonesia|PH PHL Philippines
KR KOR South Korea|TW TWN Taiwan|HK HKG Hong Kong|MO MAC Macao|MN MNG Mongolia|KH KHM Cambodia|LA LAO Laos
NZ NZL New Zealand|FJ FJI Fiji|NC NCL New Caledonia|PF PYF French Polynesia|AR ARG Argentina|CL CHL Chile
CO COL Colombia|PE PER Peru|VE VEN Venezuela|UY URY Uruguay|PY PRY Paraguay|BO BOL Bolivia|EC ECU Ecuador
CR CRI Costa Rica|PA PAN Panama|GT GTM Guatemala|HN HND Honduras|NI NIC Nicaragua|SV SLV El Salvador
DO DOM Dominican Republic|CU CUB Cuba|JM JAM Jamaica|TT TTO Trinidad and Tobago|BS BHS Bahamas|BB BRB Barbados
PR PRI Puerto Rico|GP GLP Guadeloupe|MQ MTQ Martinique|GF GUF French Guiana|RE REU Reunion|YT MYT Mayotte
LB LBN Lebanon|JO JOR Jordan|IQ IRQ Iraq|IR IRN Iran|YE YEM Yemen|SY SYR Syria|AF AFG Afghanistan|KG KGZ Kyrgyzstan
TJ TJK Tajikistan|TM TKM Turkmenistan|CI CIV Ivory Coast|CM CMR Cameroon|AO AGO Angola|MZ MOZ Mozambique
NA NAM Namibia|BW BWA Botswana|ZM ZMB Zambia|ZW ZWE Zimbabwe|MG MDG Madagascar|LY LBY Libya|SD SDN Sudan
RW RWA Rwanda|SC SYC Seychelles|MV MDV Maldives|BT BTN Bhutan|MM MMR Myanmar|BN BRN Brunei|KI KIR Kiribati
"""

_STATES = {
    "DE": """BW Baden-Württemberg|BY Bayern|BE Berlin|BB Brandenburg|HB Bremen|HH Hamburg|HE Hessen
MV Mecklenburg-Vorpommern|NI Niedersachsen|NW Nordrhein-Westfalen|RP Rheinland-Pfalz|SL Saarland|SN Sachsen
ST Sachsen-Anhalt|SH Schleswig-Holstein|TH Thüringen""",
    "US": """AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|DE Delaware
DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|IN Indiana|IA Iowa|KS Kansas
KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|MI Michigan|MN Minnesota|MS Mississippi|MO Missouri
MT Montana|NE Nebraska|NV Nevada|NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina
ND North Dakota|OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|SD South Dakota
TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|WV West Virginia|WI Wisconsin|WY Wyoming""",
    "CA": """AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador
NT Northwest Territories|NS Nova Scotia|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|SK Saskatchewan
YT Yukon""",
    "AU": """ACT Australian Capital Territory|NSW New South Wales|NT Northern Territory|QLD Queensland
SA South Australia|TAS Tasmania|VIC Victoria|WA Western Australia""",
}

EU = {
    "DE", "AT", "BE", "CY", "CZ", "DK", "ES", "EE", "FR", "FI", "GR", "HU", "IT", "IE", "LU", "LV", "MT", "NL", "PT",
    "PL", "SE", "SK", "SI", "LT", "RO", "BG", "HR",
}  # fmt: skip


def _rows(text: str) -> list[str]:
    return text.strip().replace("\n", "|").split("|")


def _build() -> list[Record]:
    state_number = 0
    countries: list[Record] = []
    for number, row in enumerate(_rows(_COUNTRIES), start=1):
        code2, code3, name = row.split(" ", 2)
        states = []
        for state in _rows(_STATES[code2]) if code2 in _STATES else []:
            state_number += 1
            code, state_name = state.split(" ", 1)
            states.append(
                {
                    "id": state_number,
                    "countryId": number,
                    "isoCode": code,
                    "isoCode3166": f"{code2}-{code}",
                    "name": state_name,
                }
            )
        countries.append(
            {
                "id": number,
                "name": name,
                "shippingDestinationId": 1,
                "active": 1,
                "storehouseId": 104,
                "isoCode2": code2,
                "isoCode3": code3,
                "lang": code2.lower() if code2 in ("DE", "FR", "IT", "ES", "NL", "PL") else "en",
                "isCountryStateMandatory": code2 == "US",
                "states": states,
            }
        )
    return countries


COUNTRIES = _build()
