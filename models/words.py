"""Word lists and macros of the story grammar (see corpus.py)."""

BOYS = ("Tom Ben Sam Max Leo Jack Finn Oscar Noah Theo Felix Hugo Milo Peter Will Henry Otto Ned Kai Omar Ravi "
	"Toby Luke Emil").split()
GIRLS = ("Mia Lily Anna Rosa Ella Nora Zoe Ivy Ruby Clara Maya Emma Sara Lucy Ada Nina Tess Hana June Molly Elsa "
	"Greta Kate Daisy").split()
PETS = ("Rusty Pip Bramble Hazel Button Clover Pepper Willow Nutmeg Biscuit Maple Dusty Patch Honey Shadow Ginger "
	"Pebble Acorn Sunny Poppy").split()

PRONOUNS = {"m": ("he", "him", "his", "himself"), "f": ("she", "her", "her", "herself")}

# animal heroes: kind, home
ANIMALS = [
	("fox", "in a [warm|snug] den under [an old oak|a tall pine|a mossy rock]"),
	("rabbit", "in a [cozy|snug|dry] burrow at the edge of [the meadow|a green field]"),
	("bear", "in a [deep|warm|quiet] cave near [the river|a waterfall]"),
	("mouse", "in a tiny hole behind [the kitchen wall|the old mill|the bakery]"),
	("squirrel", "in a hollow tree in the middle of the [forest|park|woods]"),
	("hedgehog", "under a pile of [dry leaves|soft moss] in a [quiet|sunny] garden"),
	("duck", "in a nest of reeds beside a [blue|quiet|wide] pond"),
	("beaver", "in a lodge of sticks on a [slow|wide|cool] river"),
	("otter", "on the bank of a [clear|fast|silver] stream"),
	("badger", "in a [deep|tidy] burrow under [the hill|the old willow]"),
	("kitten", "in a basket [by the stove|near the window] of a [farmhouse|little shop]"),
	("puppy", "in a [red|small] doghouse behind [the farm|the school|the bakery]"),
	("frog", "on a lily pad in a [green|still|shady] pond"),
]

CHILD_HOMES = [
	"in a [small|white|yellow|little stone] house [by the river|near the forest|on a hill|at the end of the lane]",
	"in a [quiet|busy|little] village [near the sea|between two hills|beside a lake|at the foot of a mountain]",
	"on a [small|busy|big] farm [near the woods|with many animals|at the end of a long road]",
	"in a [tall|narrow|blue] house in the middle of [the town|a big city]",
	"in a~ [tiny|old|round] cottage [by the sea|under a great tree|beside the old mill]",
]

ADULTS = [("mother", "f", "Mama"), ("father", "m", "Papa"), ("grandmother", "f", "Grandma"),
	("grandfather", "m", "Grandpa"), ("aunt", "f", "Auntie"), ("uncle", "m", "Uncle")]

# helpers met on the way: noun phrase, short form, sex
HELPERS = [
	("a~ [wise|old|gray] owl", "owl", "m"), ("a~ [kind|friendly|old] farmer", "farmer", "m"),
	("a~ [quick|small|bright] bird", "bird", "f"), ("a~ [slow|very old|gentle] turtle", "turtle", "m"),
	("a~ [friendly|big|brown] horse", "horse", "m"), ("a~ [kind|cheerful|busy] baker", "baker", "f"),
	("a~ [clever|black|shiny] crow", "crow", "m"), ("a~ [gentle|white|woolly] sheep", "sheep", "f"),
	("a~ [kind|tall|quiet] gardener", "gardener", "m"), ("a~ [cheerful|young|friendly] sailor", "sailor", "m"),
	("a~ [gray|sleepy|clever] cat", "cat", "f"), ("a~ [busy|tiny|golden] bee", "bee", "f"),
	("a~ [tall|gentle|spotted] deer", "deer", "f"), ("a~ [kind|busy|young] teacher", "teacher", "f"),
	("a~ [patient|friendly|old] fisherman", "fisherman", "m"), ("a~ [plump|cheerful|green] frog", "frog", "m"),
]

TRAITS = ["kind", "curious", "cheerful", "brave", "quiet", "shy", "clever", "gentle", "playful", "patient",
	"busy", "friendly", "careful", "honest", "funny", "dreamy", "helpful", "stubborn", "lively", "thoughtful"]

# treasured things: adjectives, noun, what one does with it (gerund)
THINGS = [
	("red blue yellow green", "kite", "flying it in the wind"),
	("wooden little white", "boat", "sailing it on the pond"),
	("blue red woolen warm", "scarf", "wearing it on cold days"),
	("silver little golden", "bell", "hearing it ring"),
	("soft brown old", "toy bear", "hugging it at night"), ("yellow straw green", "hat", "wearing it in the sun"),
	("shiny silver tin", "whistle", "blowing it at the gate"), ("red little tin", "drum", "beating it in the yard"),
	("blue round striped", "ball", "bouncing it against the wall"),
	("green glass round", "marble", "rolling it on the floor"),
	("paper red bright", "lantern", "lighting it in the evening"),
	("brass tiny old", "key", "keeping it in a secret box"),
	("smooth white round", "stone", "holding it in the dark"),
	("big colorful old", "book", "reading it under the tree"),
	("little wooden old", "flute", "playing it in the morning"), ("warm red soft", "blanket", "sleeping under it"),
	("fine new wooden", "sled", "riding it down the hill"),
	("tiny silver pretty", "ring", "looking at it in the light"),
	("blue little painted", "wagon", "pulling it along the path"),
	("bright striped new", "umbrella", "spinning it in the rain"),
	("long golden soft", "feather", "drawing with it in the sand"),
	("old little golden", "compass", "watching its needle turn"),
]

# places to go for a walk
PLACES = ["forest", "meadow", "beach", "park", "orchard", "lake", "market", "old mill", "hill", "river", "garden",
	"village square", "valley", "harbor", "field behind the barn"]

# where a lost thing turns up
SPOTS = ["under the old bridge", "behind a big rock", "in the tall grass", "next to the pond", "under a wooden bench",
	"between two roots of an oak tree", "on a low branch", "inside a hollow log", "beside the garden gate",
	"under a pile of leaves", "on top of a haystack", "near the old well", "behind the barn",
	"in a bush full of berries",
	"at the bottom of the stairs", "under a blue rowboat", "among the yellow flowers", "on the roof of the shed"]
SEARCHED = ["under the bed", "behind the door", "in the kitchen", "along the path", "under the table", "near the fence",
	"behind the trees", "in the barn", "by the stream", "around the well", "in every corner", "under the steps"]

FOODS = ["apple pie", "warm bread", "soup", "pancakes", "berry cake", "honey toast", "hot milk", "ginger cookies",
	"plum cake", "roasted nuts", "corn bread", "fresh cheese", "pears", "carrot stew", "sweet buns"]

WEATHER = ["The sun was [shining|warm|bright] and the sky was [blue|clear].",
	"A~ [soft|cool|gentle] wind [blew through the trees|moved the grass].",
	"The birds were singing in the trees.", "The air smelled of [flowers|rain|fresh grass|pine].",
	"[White|Little white|Big] clouds [drifted|floated] across the sky.", "The grass was still wet with dew.",
	"It was a~ [fine|bright|quiet|warm|lovely] day.", "The leaves were turning [red|yellow|gold].",
	"Snow [had fallen|lay] on the [roofs|hills], and everything was quiet."]

MORALS = [
	"From that day on, {H} always remembered to {lesson}.",
	"{H} learned that {wisdom}.",
	"{H} had learned something important: {wisdom}.",
	"And {H} never forgot that day.",
	"That night, {H} [slept very well|dreamed of {dream}|fell asleep with a smile].",
	"And whenever {H} thought of it, {he} smiled.",
	"It had been the best day {H} could remember.",
]
FRIEND_MORALS = ["After that, {H} and {F} were [the best of friends|closer than ever].",
	"{H} and {F} [talked about it for a long time|often laughed about it later|never forgot that day]."]
FLAWS = ["stubborn", "shy", "forgetful", "lazy", "messy", "loud", "impatient", "proud"]
DREAMS = ["the sea", "the stars", "a long journey", "flying over the hills", "a silver river", "a golden forest",
	"dancing on the clouds", "the moon", "faraway lands", "summer"]

MACROS = {
	"said": "[said {H}|{he} said|{H} said]",
	"asked": "[asked {H}|{he} asked|{H} asked]",
	"cried": "[cried {H}|{he} cried|shouted {H}|called {H}|{he} called out]",
	"whispered": "[whispered {H}|{he} whispered|{H} said softly|{he} said in a small voice|{H} said quietly]",
	"fsaid": "[said {F}|{F} said]",
	"fasked": "[asked {F}|{F} asked]",
	"fcried": "[cried {F}|shouted {F}|called {F}]",
	"asaid": "[said {adult}|{adult} said|said {adult} with a smile|{adult} said gently]",
	"aasked": "[asked {adult}|{adult} asked]",
	"hsaid": "[said the {helper}|the {helper} said]",
	"hasked": "[asked the {helper}|the {helper} asked]",
	"happy": "[happy|glad|pleased|cheerful]",
	"sad": "[sad|unhappy|upset]",
	"scared": "[scared|afraid|frightened]",
	"went": "[walked|went|ran|hurried]",
	"looked": "[looked|searched]",
	"smiled": "[smiled|laughed|grinned|nodded]",
	"oneday": "[One day|One morning|One afternoon|One {season} day|One {season} morning|Early one morning]",
	"then": "[Then|After that|A little later|Soon|A moment later|Just then]",
	"thanks": "[\"Thank you,\"|\"Thank you so much,\"|\"Oh, thank you,\"|\"You are very kind,\"]",
	"atlast": "[At last|Finally|In the end|After a long time]",
	"very": "[very|so|quite|really]",
}

# what a plot teaches: "always remembered to ..." and "learned that ..."
LESSONS = {
	"lost_thing": ("[take care of {his} things|put {his} things away|ask for help]",
		"[it is good to ask for help|four eyes see more than two]"),
	"learn_skill": ("[be patient|try once more]",
		"[patience is better than hurry|nobody is born a master|it is worth trying again]"),
	"fear": ("[be brave|take a deep breath]",
		"[being brave is easier with a friend|things look smaller when you come closer]"),
	"rescue": ("[help others|be kind|listen carefully]",
		"[kindness always comes back|even small people can do great things]"),
	"gift": ("[work with care|keep calm]", "[a gift from the heart is the best gift|mistakes can be mended]"),
	"honesty": ("[tell the truth|be honest|be careful]",
		"[the truth is lighter than a lie|it takes courage to tell the truth]"),
	"share": ("[share with others|say sorry|think of {F} first]",
		"[a good friend is worth more than gold|sharing makes things better]"),
	"plant": ("[be patient|take care of small things]", "[good things take time|great things start small]"),
	"journey": ("[look twice|keep {his} promises]",
		"[there is always a way|the longest road begins with one step]"),
	"wish": ("[be kind|think of others]", "[giving is better than having|kindness always comes back]"),
	"mystery": ("[look before being afraid|be curious]",
		"[most monsters are only noises|it is better to look than to guess]"),
	"contest": ("[help others|be fair]", "[a good friend is worth more than a prize|winning is not everything]"),
	"lost_baby": ("[help the lost|be gentle]", "[everyone needs a home|love also means letting go]"),
	"rainy_day": ("[use {his} imagination|make the best of things]",
		"[a rainy day can be the best day|you do not need much to have fun]"),
	"new_friend": ("[be kind to newcomers|say hello first]",
		"[shy people can be wonderful friends|a small smile can open a big door]"),
	"trade": ("[work hard|say please and thank you]",
		"[honest work is worth more than money|every problem can be solved step by step]"),
}
