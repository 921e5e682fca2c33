"""What the shop sells and who comes in: 16 genres of 15 items, and 12 kinds of shopper.

A genre is a project in five steps, one line each, in the order in which people need them. A step has three
alternatives, always in the order simple, all-round, specialist: the *line* that a shopper tends to stay in.
"""

from __future__ import annotations

STEPS = 5  # per genre; after the last, the project starts again
LINES = 3  # alternatives per step

GENRES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Running": (
        ("Beginner running shoes", "Road running shoes", "Trail running shoes"),
        ("Cotton running socks", "Cushioned running socks", "Merino running socks"),
        ("Running shirt", "Running shorts", "Running tights"),
        ("Phone arm band", "Running belt", "GPS running watch"),
        ("Energy bars", "Electrolyte tablets", "Energy gels"),
    ),
    "Hiking": (
        ("Walking shoes", "Hiking boots", "Mountain boots"),
        ("Walking socks", "Hiking socks", "Liner and wool sock set"),
        ("Day pack 18 L", "Hiking backpack 30 L", "Trekking backpack 60 L"),
        ("Rain poncho", "Rain jacket", "Three-layer shell jacket"),
        ("Wooden walking stick", "Trekking poles", "Carbon trekking poles"),
    ),
    "Camping": (
        ("Pop-up tent", "Family tent", "Two-person trekking tent"),
        ("Summer sleeping bag", "Three-season sleeping bag", "Down sleeping bag"),
        ("Foam sleeping mat", "Self-inflating mat", "Ultralight air mat"),
        ("Picnic stove", "Gas camping stove", "Multi-fuel stove"),
        ("Battery lantern", "Head torch", "Solar lantern"),
    ),
    "Cycling": (
        ("City bicycle", "Gravel bicycle", "Road bicycle"),
        ("City helmet", "Cycling helmet", "Aero helmet"),
        ("Clip-on bicycle lights", "Dynamo light set", "High-beam bicycle light"),
        ("Cable lock", "Folding lock", "Steel D-lock"),
        ("Hand pump", "Floor pump with gauge", "Tubeless repair kit"),
    ),
    "Swimming": (
        ("Leisure swimsuit", "Training swimsuit", "Racing swimsuit"),
        ("Leisure goggles", "Training goggles", "Mirrored racing goggles"),
        ("Fabric swim cap", "Silicone swim cap", "Racing dome cap"),
        ("Kickboard", "Pull buoy", "Hand paddles"),
        ("Cotton bath towel", "Microfibre towel", "Changing robe"),
    ),
    "Climbing": (
        ("Beginner climbing shoes", "All-round climbing shoes", "Bouldering shoes"),
        ("Indoor harness", "Sport harness", "Alpine harness"),
        ("Loose chalk", "Chalk bag", "Liquid chalk"),
        ("Tube belay device", "Assisted belay device", "Belay glasses"),
        ("Gym rope 40 m", "Single rope 60 m", "Quickdraw set"),
    ),
    "Snow": (
        ("Wooden sledge", "All-mountain skis", "Touring skis"),
        ("Snow boots", "Ski boots", "Touring boots"),
        ("Knitted hat", "Ski helmet", "Ski goggles"),
        ("Wool mittens", "Ski gloves", "Heated gloves"),
        ("Hand warmers", "Thermal base layer", "Avalanche beacon"),
    ),
    "Fitness": (
        ("Yoga mat", "Exercise mat", "Cork yoga mat"),
        ("Light dumbbells", "Kettlebell 12 kg", "Adjustable dumbbells"),
        ("Resistance bands", "Suspension trainer", "Pull-up bar"),
        ("Skipping rope", "Balance board", "Rowing machine"),
        ("Massage ball", "Foam roller", "Massage gun"),
    ),
    "Cooking": (
        ("Non-stick frying pan", "Steel frying pan", "Cast-iron skillet"),
        ("Kitchen knife", "Chef's knife", "Japanese santoku knife"),
        ("Plastic chopping board", "Bamboo chopping board", "End-grain chopping board"),
        ("Sunflower oil", "Olive oil", "Truffle oil"),
        ("Table salt", "Pepper mill", "Smoked sea salt"),
    ),
    "Baking": (
        ("Plain flour", "Bread flour", "Rye flour"),
        ("Dried yeast", "Fresh yeast", "Sourdough starter"),
        ("Mixing bowl", "Kitchen scales", "Stand mixer"),
        ("Loaf tin", "Springform tin", "Proofing basket"),
        ("Paper cake cases", "Silicone spatula", "Piping set"),
    ),
    "Coffee": (
        ("Ground coffee", "Espresso beans", "Single-origin beans"),
        ("Blade coffee grinder", "Hand coffee grinder", "Burr coffee grinder"),
        ("Filter cone", "Moka pot", "Espresso machine"),
        ("Paper filters", "Milk frother", "Precision tamper"),
        ("Coffee mug", "Cappuccino cup", "Double-walled glass"),
    ),
    "Gardening": (
        ("Herb seeds", "Vegetable seeds", "Heirloom tomato seeds"),
        ("Seed compost", "Potting soil", "Peat-free compost"),
        ("Plastic flower pots", "Terracotta pots", "Raised bed kit"),
        ("Hand trowel", "Garden spade", "Garden fork"),
        ("Watering can", "Garden hose", "Drip irrigation kit"),
    ),
    "Workshop": (
        ("Claw hammer", "Cordless drill", "Circular saw"),
        ("Nail assortment", "Screw assortment", "Saw blade set"),
        ("Tape measure", "Spirit level", "Laser level"),
        ("Sandpaper", "Wood file", "Orbital sander"),
        ("Wood glue", "Wood oil", "Clear varnish"),
    ),
    "Home office": (
        ("Folding desk", "Writing desk", "Standing desk"),
        ("Desk stool", "Office chair", "Ergonomic chair"),
        ("Clip-on desk lamp", "LED desk lamp", "Monitor light bar"),
        ("Notebook A5", "Dotted notebook", "Leather planner"),
        ("Ballpoint pens", "Gel pens", "Fountain pen"),
    ),
    "Bedroom": (
        ("Foam mattress", "Sprung mattress", "Latex mattress"),
        ("Cotton bed sheet", "Linen bed sheet", "Silk bed sheet"),
        ("Polyester pillow", "Feather pillow", "Memory foam pillow"),
        ("Summer duvet", "All-year duvet", "Goose-down duvet"),
        ("Bedside lamp", "Reading light", "Sunrise alarm clock"),
    ),
    "Dogs": (
        ("Puppy food", "Dry dog food", "Grain-free dog food"),
        ("Plastic dog bowl", "Steel dog bowl", "Slow-feeding bowl"),
        ("Dog collar", "Dog harness", "Tracking collar"),
        ("Short dog lead", "Retractable lead", "Running lead"),
        ("Tennis ball", "Rope toy", "Puzzle feeder"),
    ),
}

# Kind of shopper: how common (parts of 100), and its four favourite genres. Kinds share genres in different
# company, so that one event says little about the kind and a whole history says nearly all.
SHOPPERS: dict[str, tuple[int, tuple[str, str, str, str]]] = {
    "Runner": (14, ("Running", "Fitness", "Coffee", "Swimming")),
    "Home cook": (13, ("Cooking", "Baking", "Gardening", "Coffee")),
    "Family camper": (12, ("Camping", "Hiking", "Dogs", "Cooking")),
    "Commuter": (10, ("Cycling", "Home office", "Coffee", "Running")),
    "Gardener": (9, ("Gardening", "Workshop", "Dogs", "Camping")),
    "Nest builder": (8, ("Bedroom", "Cooking", "Workshop", "Home office")),
    "Mountaineer": (8, ("Climbing", "Snow", "Hiking", "Fitness")),
    "Triathlete": (7, ("Swimming", "Cycling", "Running", "Baking")),
    "Dog walker": (6, ("Dogs", "Hiking", "Running", "Bedroom")),
    "Bike traveller": (5, ("Cycling", "Camping", "Climbing", "Cooking")),
    "Slow baker": (4, ("Baking", "Coffee", "Bedroom", "Fitness")),
    "Chalet owner": (4, ("Snow", "Workshop", "Bedroom", "Swimming")),
}
FAVOURITES = (30, 26, 22, 16)  # parts of 100 of a kind's own choices; what is left is spread evenly over all genres

NAMES: list[str] = ["<pad>", *(name for steps in GENRES.values() for step in steps for name in step)]
GENRE_OF: list[str] = ["", *(genre for genre in GENRES for _ in range(STEPS * LINES))]
IDS: list[str] = ["<pad>", *(f"P{number:03d}" for number in range(1, len(NAMES)))]
