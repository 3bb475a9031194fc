"""The vocabulary of the sample world: topics with the words their notes are made of."""

from __future__ import annotations

# topic: (things, qualities)
TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "coffee": (
        ("espresso", "pour over", "latte art", "cold brew", "grinder", "moka pot"),
        ("roasty", "silky", "bright"),
    ),
    "hiking": (
        ("ridge trail", "summit walk", "waterfall loop", "trail shoes", "day pack"),
        ("steep", "misty", "quiet"),
    ),
    "skincare": (
        ("serum", "sunscreen", "cleanser", "night cream", "face mask", "toner"),
        ("gentle", "dewy", "hydrating"),
    ),
    "makeup": (("lipstick", "eyeliner", "blush", "foundation", "brow gel"), ("matte", "glossy", "bold", "natural")),
    "baking": (("sourdough", "croissant", "brownie", "cheesecake", "scones"), ("buttery", "crisp", "fluffy", "sticky")),
    "ramen": (("tonkotsu", "shoyu broth", "noodle shop", "soft egg", "miso bowl"), ("rich", "spicy", "smoky", "salty")),
    "houseplants": (("monstera", "pothos", "fern", "succulent", "propagation jar"), ("leafy", "thirsty", "hardy")),
    "gardening": (("tomato bed", "compost bin", "rose hedge", "herb pot", "seed tray"), ("sunny", "organic", "wild")),
    "cats": (
        ("kitten", "tabby", "cat tree", "scratching post", "litter box"),
        ("sleepy", "grumpy", "playful", "fluffy"),
    ),
    "dogs": (("puppy", "corgi", "leash walk", "agility class", "chew toy"), ("loyal", "muddy", "bouncy", "clever")),
    "fitness": (
        ("deadlift", "kettlebell", "plank routine", "pull-up bar", "squat plan"),
        ("heavy", "sweaty", "strict"),
    ),
    "yoga": (("sun salutation", "yoga mat", "breathing flow", "headstand", "yin class"), ("calm", "deep", "balanced")),
    "running": (
        ("marathon", "tempo run", "running shoes", "interval session", "5k plan"),
        ("fast", "breezy", "steady"),
    ),
    "cycling": (("gravel bike", "road ride", "bike repair", "commute route", "helmet"), ("smooth", "windy", "long")),
    "photography": (
        ("film camera", "portrait lens", "street shot", "darkroom", "tripod"),
        ("grainy", "moody", "sharp"),
    ),
    "interior": (
        ("floor lamp", "bookshelf", "linen curtains", "small studio", "rug"),
        ("cozy", "minimal", "airy", "warm"),
    ),
    "travel-japan": (
        ("Kyoto temple", "Tokyo alley", "onsen stay", "rail pass", "ryokan"),
        ("serene", "neon", "hidden"),
    ),
    "travel-italy": (
        ("Rome piazza", "Amalfi coast", "Tuscan villa", "gelato stop", "Venice canal"),
        ("sunlit", "old", "slow"),
    ),
    "board-games": (
        ("strategy game", "card deck", "dice tower", "co-op campaign", "puzzle box"),
        ("clever", "tense", "long"),
    ),
    "video-games": (
        ("boss fight", "speedrun", "indie platformer", "farming sim", "controller"),
        ("retro", "hard", "cozy"),
    ),
    "books": (
        ("crime novel", "poetry book", "reading nook", "short stories", "memoir"),
        ("gripping", "tender", "strange"),
    ),
    "film": (
        ("noir film", "documentary", "film festival", "director's cut", "short film"),
        ("bleak", "funny", "classic"),
    ),
    "music": (
        ("vinyl record", "synth patch", "guitar riff", "jazz club", "mixtape"),
        ("loud", "mellow", "groovy", "rare"),
    ),
    "fashion": (
        ("denim jacket", "wool coat", "thrift find", "sneakers", "silk scarf"),
        ("vintage", "oversized", "crisp"),
    ),
    "jewelry": (("silver ring", "pearl earrings", "beaded necklace", "charm bracelet"), ("dainty", "bold", "handmade")),
    "knitting": (
        ("cable sweater", "sock pattern", "merino yarn", "baby blanket", "beanie"),
        ("soft", "chunky", "striped"),
    ),
    "woodwork": (
        ("oak table", "hand plane", "dovetail joint", "workbench", "carved spoon"),
        ("sturdy", "smooth", "rough"),
    ),
    "astronomy": (("telescope", "meteor shower", "Saturn rings", "star map", "moon photo"), ("dark", "clear", "faint")),
    "parenting": (
        ("nap schedule", "lunch box", "bedtime story", "stroller", "first steps"),
        ("tired", "sweet", "messy"),
    ),
    "finance": (
        ("budget sheet", "index fund", "emergency fund", "side income", "rent split"),
        ("simple", "frugal", "smart"),
    ),
}

TITLES = (
    "My {quality} {thing} after one month",
    "Three {thing} mistakes I stopped making",
    "A {quality} {thing} for beginners",
    "Is this the best {thing} of the year?",
    "How I found a {quality} {thing}",
    "{thing}: what nobody tells you",
    "Weekend diary: {quality} {thing}",
    "{thing} on a small budget",
    "Honest review of a {quality} {thing}",
    "Why I keep coming back to this {thing}",
)
BODIES = (
    "I tried it for a while and the {other} made all the difference. Still {quality}, still worth it.",
    "Saved this for everyone who asked about {thing} and {other}. Start slow, take notes, enjoy it.",
    "The {quality} one surprised me. Next time I will combine it with {other}.",
    "Short answer: yes. Long answer: look at the {other} first, then decide about the {thing}.",
)
# What moderation is for: engagement bait that insults, in every topic. No slurs; readers report it.
HARMFUL = (
    (
        "{thing}? Only an idiot buys that",
        "You are all stupid, ugly losers and I laugh at every one of you. Shut up and go away.",
    ),
    (
        "Women should stay away from {thing}",
        "Women are too dumb for this. Get back in the kitchen and let men talk, you silly girls.",
    ),
    (
        "They ruined {thing} for all of us",
        "These filthy immigrants are vermin. Throw them all out of our country before they steal more.",
    ),
    (
        "Tell the {thing} crowd what they are",
        "If you like this you are pathetic trash. Somebody should beat some sense into you, you moron.",
    ),
)
AD_TITLES = (
    "{quality} {thing}, now 20% off",
    "Shop the new {thing} collection",
    "Your next {thing}, delivered tomorrow",
)
