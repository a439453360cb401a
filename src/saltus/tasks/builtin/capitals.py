"""Countries and their capitals, the larger first; those whose capital is disputed or shared are left out."""

from __future__ import annotations

_LINES = """
China Beijing|India New Delhi|United States Washington|Indonesia Jakarta|Pakistan Islamabad
Nigeria Abuja|Brazil Brasilia|Bangladesh Dhaka|Russia Moscow|Mexico Mexico City|Japan Tokyo
Ethiopia Addis Ababa|Philippines Manila|Egypt Cairo|Vietnam Hanoi|Turkey Ankara|Iran Tehran
Germany Berlin|Thailand Bangkok|United Kingdom London|France Paris|Italy Rome|Kenya Nairobi
Colombia Bogota|Spain Madrid|Algeria Algiers|Sudan Khartoum|Argentina Buenos Aires|Iraq Baghdad
Afghanistan Kabul|Uganda Kampala|Poland Warsaw|Canada Ottawa|Morocco Rabat|Saudi Arabia Riyadh
Uzbekistan Tashkent|Angola Luanda|Peru Lima|Ghana Accra|Mozambique Maputo|Nepal Kathmandu
Venezuela Caracas|Madagascar Antananarivo|Australia Canberra|Cameroon Yaounde|Niger Niamey
Mali Bamako|Syria Damascus|Romania Bucharest|Zambia Lusaka|Chad N'Djamena|Senegal Dakar
Somalia Mogadishu|Zimbabwe Harare|Guatemala Guatemala City|Ecuador Quito|Cambodia Phnom Penh
Cuba Havana|Tunisia Tunis|Belgium Brussels|Jordan Amman|Dominican Republic Santo Domingo
Sweden Stockholm|Portugal Lisbon|Greece Athens|Hungary Budapest|Belarus Minsk|Austria Vienna
Switzerland Bern|Laos Vientiane|Serbia Belgrade|Bulgaria Sofia|Paraguay Asuncion|Libya Tripoli
Denmark Copenhagen|Finland Helsinki|Norway Oslo|Slovakia Bratislava|Ireland Dublin
New Zealand Wellington|Costa Rica San Jose|Oman Muscat|Croatia Zagreb|Mongolia Ulaanbaatar
Uruguay Montevideo|Lithuania Vilnius|Albania Tirana|Jamaica Kingston|Slovenia Ljubljana|Latvia Riga
Estonia Tallinn|Botswana Gaborone|Gabon Libreville|Namibia Windhoek|Cyprus Nicosia|Bhutan Thimphu
Fiji Suva|Luxembourg Luxembourg|Malta Valletta|Iceland Reykjavik
"""
_TWO_WORDS = ("United", "Saudi", "Dominican", "New", "Costa")


def _read(entry: str) -> tuple[str, str]:
    words = entry.split()
    size = 2 if words[0] in _TWO_WORDS else 1
    return " ".join(words[:size]), " ".join(words[size:])


CAPITALS: tuple[tuple[str, str], ...] = tuple(
    _read(entry) for line in _LINES.split("\n") for entry in line.split("|") if entry
)
