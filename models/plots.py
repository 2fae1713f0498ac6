"""The cast and the plot skeletons of the story grammar (see corpus.py)."""

import plots_more
import words as W


def set_person(s, key, name, sex):
	"""Slots of one person: KEY is the name, KEYhe, KEYhim, KEYhis, KEYself the pronouns."""
	he, him, his, himself = W.PRONOUNS[sex]
	if key == "H":
		s.slots["H"] = name
		s.put(he=he, him=him, his=his, himself=himself)
	else:
		s.slots[key.upper()] = name
		s.put(**{key + "he": he, key + "him": him, key + "his": his, key + "self": himself})


def cast(s):
	sex = s.pick("mf")
	fsex = s.pick("mf") if s.chance(0.3) else ("f" if sex == "m" else "m")
	s.child = s.chance(0.6)
	s.put(season="[summer|winter|spring|autumn]", place="the " + s.pick(W.PLACES), dream=s.pick(W.DREAMS),
		flaw=s.pick(W.FLAWS), weather=s.pick(W.WEATHER), food=s.pick(W.FOODS), trait=s.pick(W.TRAITS),
		spot=s.pick(W.SPOTS))
	s.slots["trait2"] = s.pick([t for t in W.TRAITS if t != s.slots["trait"]])
	if s.child:
		names = W.BOYS if sex == "m" else W.GIRLS
		s.put(kind="boy" if sex == "m" else "girl", home=s.pick(W.CHILD_HOMES))
	else:
		names = W.PETS
		kind, home = s.pick(W.ANIMALS)
		s.put(kind=kind, home=home)
	name = s.pick(names)
	set_person(s, "H", name, sex)
	if s.child and s.chance(0.75):
		fnames, fkind = (W.BOYS if fsex == "m" else W.GIRLS), ("boy" if fsex == "m" else "girl")
	else:
		fnames, fkind = W.PETS, s.pick([a for a in W.ANIMALS if a[0] != s.slots["kind"]])[0]
	set_person(s, "f", s.pick([n for n in fnames if n != name]), fsex)
	s.put(fkind=fkind,
		fintro="{his} friend {F}" if fkind in ("boy", "girl") else "[{his} friend {F}|{F} the {fkind}]")
	arole, asex, aname = s.pick(W.ADULTS if s.child else W.ADULTS[:2])
	ahe, ahim, ahis, _ = W.PRONOUNS[asex]
	s.put(adult=s.slots["his"] + " " + arole, ahe=ahe, ahim=ahim, ahis=ahis, aname=aname)
	full, short, hsex = s.pick([h for h in W.HELPERS if h[1] not in (s.slots["kind"], fkind)])
	hhe, hhim, hhis, _ = W.PRONOUNS[hsex]
	s.put(helperfull=full, helper=short, hhe=hhe, hhim=hhim, hhis=hhis)
	adjs, noun, use = s.pick(W.THINGS)
	s.put(adj=s.pick(adjs.split()), thing=noun, use=use)


def intro(s):
	s.say("Once upon a time, there was a~ [little|young|small|{trait}] {kind} [named|called] {H}. "
		"{He} lived {home}.",
		"Once upon a time, a~ {trait} [little |young |]{kind} [named|called] {H} lived {home}.",
		"Once upon a time, {home}, there lived a~ [little|young|small] {kind} [named|called] {H}.",
		"There was once a~ {trait} [little |young |]{kind} whose name was {H}. {He} lived {home}.",
		"{H} was a~ [little|young|small] {kind} who lived {home}.",
		"Long ago, a~ {trait} {kind} [named|called] {H} lived {home}.",
		"In the [days|years] when the old mill still turned, a~ {kind} [named|called] {H} lived {home}.",
		"{H} was a~ {trait} {kind}. {He} lived {home}.")
	s.maybe(0.5, "{He} was {@very} {trait2}.", "Everyone knew that {he} was {trait2}.",
		"{He} lived there with {adult}, and they were very happy.",
		"{H} was {trait}, but sometimes {he} could be a bit {flaw}.",
		"{He} loved [to play outside|to sing|to tell stories|long walks|the smell of {food}].",
		"All the neighbors [liked|loved] {him} because {he} was so {trait2}.")


def friend(s):
	"""Introduces the friend, for plots that use the name later without more words."""
	s.say("{His} best friend was {F}, a~ {fkind} who lived [nearby|next door|not far away].",
		"{He} had a friend, a~ {fkind} [named|called] {F}.",
		"{H} and {F} the {fkind} were [good|old|close] friends." if s.slots["fkind"] not in ("boy", "girl") else
		"{H} and {his} friend {F} [played together every day|were almost always together].")


def outro(s):
	s.par()
	s.maybe(0.45, "In the evening, they all sat [together|by the fire|around the table] and ate {food}.",
		"When {he} came home, {adult} had made {food} for supper.",
		"{Adult} [gave {him} a hug|kissed {him} good night] and said, \"I am [so |very |]proud of you.\"",
		"That evening, {H} told {adult} the whole story.")
	known = any(s.slots["F"] in sentence for par in s.pars for sentence in par)
	s.say(*(W.MORALS + W.FRIEND_MORALS if known else W.MORALS))
	s.maybe(0.15, "The end.")


def lost_thing(s):
	s.say("{H} had a~ {adj} {thing} that {he} loved [very much|more than anything]. {He} liked {use}.",
		"{His} favorite thing was a~ {adj} {thing}. {He} loved {use}.",
		"For {his} birthday, {adult} had given {him} a~ {adj} {thing}. {H} liked {use}.")
	s.par()
	s.say("{@oneday}, {H} took the {thing} to {place}. {weather} {He} [played|ran and played|sang and played] "
		"[until noon|all morning|for a long time], and when {he} looked around, the {thing} was gone!",
		"{@oneday}, the {adj} {thing} was gone! {H} looked {search}, but it was not there.".replace(
			"{search}", s.pick(W.SEARCHED)),
		"{@oneday}, when {H} came home from {place}, {he} could not find the {thing} [anywhere|at all].")
	s.say("\"Where is my {thing}?\" {@cried}. {He} was {@very} {@sad}.",
		"\"Oh no! I have lost my {thing}!\" {@cried}.",
		"{H} felt tears in {his} eyes. \"My {thing} is gone,\" {@whispered}.")
	a, b = s.rnd.sample(W.SEARCHED, 2)
	s.say("{He} {@looked} %s and %s, but {he} found [nothing|only dust|nothing but leaves]." % (a, b),
		"First {he} {@looked} %s. Then {he} {@looked} %s. The {thing} was not there." % (a, b))
	s.par()
	s.say("{@then}, {he} met {helperfull}. \"Why are you [so sad|crying]?\" {@hasked}. \"I have lost my {thing},\" "
		"{@said}.",
		"On the way, {H} met {helperfull}. \"Have you seen a~ {adj} {thing}?\" {@asked}.")
	s.say("\"I saw something {adj} {spot},\" {@hsaid}. \"[Let us go and look|Come with me|I will show you].\"",
		"\"Do not worry,\" {@hsaid}. \"I will help you [look for it|find it].\" Together they {@looked} "
		"everywhere.",
		"\"[Think|Try to remember],\" {@hsaid}. \"Where did you [play|stop|rest] last?\" {H} thought and "
		"thought. Then {he} remembered.")
	s.say("They {@went} on together, and there it was! The {adj} {thing} lay {spot}.",
		"{@atlast}, they found the {thing} {spot}.", "And there, {spot}, was the {adj} {thing}!")
	s.say("{H} was {@very} {@happy}. {@thanks} {@said}.",
		"\"My {thing}!\" {@cried}. {He} [hugged|thanked] the {helper} [again and again|with all {his} heart].",
		"{H} jumped for joy. {@thanks} {he} said to the {helper}.")
	s.maybe(0.6, "From then on, {H} [took good care of|was very careful with] {his} {thing}.",
		"{He} carried the {thing} home and put it [in a safe place|next to {his} bed].")


def learn_skill(s):
	skill, tool, fail, advice, success = s.pick(W_SKILLS if s.child else W_SKILLS_ANY)
	s.put(skill=skill, fail=fail, advice=advice, success=success)
	s.say("More than anything, {H} wanted to {skill}.", "{H} had one big wish: {he} wanted to {skill}.",
		"There was just one thing {H} could not do. {He} could not {skill}.")
	s.maybe(0.6, "All {his} friends could do it, but {H} could not.",
		"Every night {he} dreamed about it.", "\"One day I will {skill},\" {he} told {adult}.")
	s.par()
	s.say("{@oneday}, {he} went to {place} and tried. {Fail}", "{@oneday}, {H} tried for the first time. {Fail}",
		"So {@oneday}, {H} [got up early|took a deep breath] and tried. {Fail}".replace("So {@oneday}",
			"So one day"))
	s.maybe(0.6, "{He} tried again, but it was no better.",
		"{He} tried three more times, and each time it went wrong.")
	s.say("\"I will never learn it!\" {@cried}.",
		"\"It is too hard,\" {@said}. {He} sat down and [sighed|hid {his} face].",
		"{H} was {@very} {@sad} and wanted to give up.")
	s.par()
	s.say("{F}, a~ {fkind} who lived [nearby|next door|not far away], [saw|heard] {him}. \"[Do not give up|Do not "
		"be sad],\" {@fsaid}. \"{Advice}\"",
		"Just then, {his} friend {F} the {fkind} came by. \"May I show you something?\" {@fasked}. "
		"\"{Advice}\"",
		"{Adult} sat down beside {him}, and {fintro} came too. \"Everyone falls at first,\" {@asaid}. "
		"\"{Advice}\"")
	s.say("{H} [listened|nodded] and tried [once more|again].",
		"So {H} tried again, [slowly this time|very carefully].",
		"{H} practiced [every day|for a whole week|day after day].")
	s.say("And this time, {success}", "{@atlast}, {success}", "Then, on the [third|seventh|tenth] day, {success}")
	s.say("\"[I did it|Look at me|I can do it]!\" {@cried}.",
		"\"You did it!\" {@fcried}. They [danced|jumped] for joy.",
		"{F} clapped and {H} [laughed out loud|smiled from ear to ear].")
	s.maybe(0.5, "\"You see,\" {@asaid}, \"[practice makes all the difference|you only had to keep trying].\"",
		"After that, {H} could {skill} better than anyone.")


W_SKILLS_ANY = [
	("swim", "", "{He} jumped into the water, splashed and swallowed a big gulp.",
		"Kick with your legs and keep your head up.", "{he} swam all the way to the other side."),
	("whistle", "", "{He} blew and blew, but only air came out.",
		"Make your mouth small and round, and blow softly.",
		"a clear note rang out over the fields."),
	("climb the tall tree", "", "{He} slipped on the first branch and landed in the grass.",
		"Hold on tight and look for the strong branches.",
		"{he} sat at the very top and saw the whole valley."),
	("play the flute", "", "The flute gave a terrible squeak, and the birds flew away.",
		"Start with one note and hold it long.", "{he} played a sweet little song."),
	("skate on the ice", "", "{His} legs slid apart and {he} sat down hard on the ice.",
		"Bend your knees and look straight ahead.", "{he} glided over the ice like a bird."),
	("dance", "", "{He} turned left when the others turned right and fell over {his} own feet.",
		"Close your eyes and listen to the music first.",
		"{he} danced [until the moon came up|without a single mistake]."),
	("sing", "", "{His} voice cracked, and a dog began to howl.",
		"Breathe deeply and sing to a friend, not to a crowd.",
		"{his} voice was clear and warm, and everyone listened."),
	("bake bread", "", "The bread came out black and as hard as a stone.",
		"Let the dough rest, and watch the fire.",
		"the bread was golden and smelled wonderful."),
	("jump over the stream", "", "{He} jumped too early and landed in the cold water.",
		"Run faster and jump at the very last step.",
		"{he} flew over the water and landed on dry grass."),
]
W_SKILLS = W_SKILLS_ANY + [
	("ride a bicycle", "", "The bicycle wobbled left and right, and {he} fell into a bush.",
		"Look at the road, not at your feet.", "{he} rode down the whole street without falling."),
	("paint a picture of the sea", "", "The blue paint ran all over the paper.",
		"Use less water and wait until the sky is dry.",
		"the waves on the paper looked almost real."),
	("row the boat", "", "The boat turned round and round in one place.", "Pull both oars at the same time.",
		"the boat moved straight across the lake."),
	("knit a scarf", "", "The wool turned into one big knot.", "Make the loops loose and count them slowly.",
		"{he} held up a long, warm scarf."),
	("juggle", "", "Three apples fell on {his} head, one after another.",
		"Begin with two, and throw them a little higher.",
		"three apples flew in a perfect circle."),
	("read", "", "The letters danced in front of {his} eyes.", "Read one small word at a time.",
		"{he} read a whole page aloud."),
	("tie a strong knot", "", "The rope came loose at once.", "Go around twice and then pull the end through.",
		"the knot held fast, even in the wind."),
]


def fear(s):
	friend(s)
	name, scene, truth = s.pick(FEARS)
	s.put(fear=name, scene=scene, truth=truth)
	s.say("{H} was {trait}, but {he} was {@scared} of {fear}.",
		"There was one thing {H} did not like at all: {fear}.",
		"{H} had a secret. {He} was {@very} {@scared} of {fear}.")
	s.maybe(0.5, "{He} never told anyone about it.",
		"The other [children|animals] sometimes laughed at {him}.".replace(
		"[children|animals]", "children" if s.child else "animals"),
		"Even the thought of it made {him} shake.")
	s.par()
	s.say("{@oneday}, {scene}", "Then, one {season} evening, {scene}")
	s.say("{H} wanted to [run away|hide|go home]. {His} heart beat fast.", "{H} stood still and could not move.",
		"\"I can't do it,\" {@whispered}.")
	s.say("\"Take my hand,\" {@fsaid}. \"We will do it together.\"",
		"\"Being brave does not mean that you are not afraid,\" {@asaid}. \"It means that you try anyway.\"",
		"\"Count to ten with me,\" {@fsaid}, \"and then open your eyes.\"",
		"\"I was afraid too, once,\" {@asaid}. \"Just take one small step.\"")
	s.par()
	s.say("{H} took a deep breath and [took one step|opened {his} eyes|nodded]. Then {he} took another.",
		"Slowly, very slowly, {H} [went on|moved forward].",
		"{H} thought about it for a moment. Then {he} [nodded|stood up].")
	s.say("{truth}")
	s.say("\"It is not so bad after all!\" {@said}.", "\"Is that all?\" {@asked}, and {he} began to laugh.",
		"{H} was {@very} proud. \"I was brave,\" {@said}.")
	s.maybe(0.7, "From that day on, {H} was no longer {@scared} of {fear}.",
		"The next time, {H} was the one who [helped|comforted] {F}.")


FEARS = [
	("the dark", "{F} lost a~ shoe in the cellar, and the lamp went out.".replace("a~ shoe", "a little bell"),
		"In the dark {he} could hear the wind and see a thin line of moonlight. It was quiet and almost "
		"beautiful."),
	("thunder", "a storm came over the hills while {H} and {F} were [outside|alone at home].",
		"The thunder rolled again, and {he} noticed that it sounded just like a big drum."),
	("deep water", "{F} called from a little boat, \"Come on, the lake is lovely today!\"",
		"The boat rocked like a cradle, and silver fish swam under it."),
	("high places", "a kitten cried at the top of [the old tower|a tall ladder], and nobody else was there but "
		"{F}.",
		"Step by step {he} went up, and from the top {he} could see the whole world, or so it seemed. "
		"The kitten purred in {his} arms."),
	("the big dog on the corner", "the gate was open, and the big dog stood in the middle of the road in front of "
		"{H} and {F}.",
		"The dog wagged its tail, lay down and rolled on its back. It only wanted to play."),
	("strange noises", "there was a scratching noise [behind the wall|under the floor], and {F} heard it too.",
		"Behind the old boards sat a tiny mouse with a nut that was far too big for it."),
	("speaking in front of others",
		"{H} had to tell a story in front of the whole village, and {F} was there as well.",
		"The first word was small, the second was louder, and at the end everyone clapped."),
	("the forest", "{F} wanted to pick berries, and the best ones grew deep in the forest.",
		"The trees were tall and green, a bird sang, and the berries were the sweetest of all."),
]


def rescue(s):
	friend(s)
	who, stuck, tool, act, gift = s.pick(RESCUES)
	sex = s.pick("mf")
	vhe, vhim, vhis, _ = W.PRONOUNS[sex]
	s.put(who=who, vhe=vhe, vhim=vhim, vhis=vhis)
	s.put(stuck=stuck, act=act, gift=gift, tool=tool)
	s.say("{@oneday}, {H} {@went} to {place}. {weather}", "{@oneday}, {H} was on {his} way to {place}.",
		"{weather} {H} was walking near {place} with {F}.")
	s.say("Suddenly, {he} heard a [small|weak|sad] voice. \"Help! Please help me!\"",
		"{@then}, {he} heard someone crying.", "All at once there was a strange sound.")
	s.say("It was a~ [little|young] {who}. {stuck}", "A~ [little|young] {who} was in trouble. {stuck}")
	s.par()
	s.say("\"Do not be afraid,\" {@said}. \"I will help you.\"", "\"Wait here,\" {@said}. \"I have an idea.\"",
		"\"How can I help you?\" {@asked}. \"Please get me out of here,\" said the {who}.")
	s.say("{H} pulled as hard as {he} could, but it did not work.",
		"First {he} tried with {his} bare hands, but {he} was not strong enough.".replace(
		"hands", "hands" if s.child else "paws"),
		"{He} tried once, and {he} tried twice, but nothing happened.")
	s.say("Then {he} had an idea. {He} {@went} home and came back with {tool}.",
		"So {he} called {F}, and {F} brought {tool}.",
		"Then {he} saw {tool} lying [in the grass|near the path]. That was just the right thing!")
	s.say("{act}")
	s.say("The little {who} was free!", "{@atlast}, the {who} was safe.",
		"The {who} shook {vhim}self and smiled.".replace(
		"{vhim}self", "himself" if sex == "m" else "herself"))
	s.par()
	s.say("{@thanks} said the {who}. \"I will never forget this.\"",
		"\"You saved me,\" said the {who}. \"You are a true friend.\"")
	s.say("The next morning, {H} found {gift} in front of the door.",
		"Some days later, the {who} came back and brought {him} {gift}.",
		"To thank {him}, the {who} gave {him} {gift}.")
	s.maybe(0.6, "{H} and the {who} became good friends and met [every week|at {place} every day].",
		"{H} was {@very} {@happy} with {his} new friend.")


RESCUES = [
	("bird", "One of {vhis} wings was caught in a thorn bush.", "a pair of scissors",
		"Carefully {he} cut the thorns, one by one.", "a~ [blue|golden|white] feather"),
	("lamb", "{Vhe} had fallen into a deep ditch and could not get out.", "a long rope",
		"{He} tied the rope around the lamb and pulled slowly.", "a ball of soft white wool"),
	("duckling", "{Vhe} was stuck between two stones in the stream.", "a strong stick",
		"With the stick {he} lifted the stone, just a little.", "a shiny shell"),
	("turtle", "{Vhe} was lying on {vhis} back and could not turn over.", "a flat board",
		"{He} pushed the board under the turtle and turned it like a lever.", "a~ smooth green stone"),
	("cat", "{Vhe} was sitting on a high branch and did not dare to come down.", "a ladder",
		"{He} climbed up and carried the cat down in {his} coat.".replace(" in {his} coat", ""),
		"a~ round silver button"),
	("hedgehog", "{Vhis} foot was caught in an old net.", "a small knife",
		"Very gently {he} cut the net open.", "a basket of ripe berries"),
	("calf", "{Vhe} stood in the mud up to {vhis} belly.", "two wide boards",
		"{He} laid the boards on the mud, and the calf stepped onto them.", "a jug of fresh milk"),
	("butterfly", "{Vhe} had fallen into a puddle, and {vhis} wings were wet.", "a big leaf",
		"{He} lifted the butterfly onto the leaf and let the sun dry {vhis} wings.", "a field of new flowers"),
	("squirrel", "{Vhe} was locked in an empty barrel.", "an iron bar",
		"{He} pushed the bar under the lid until it sprang open.", "a bag of the best nuts"),
]


def gift(s):
	friend(s)
	present, parts, mishap, fix = s.pick(GIFTS)
	p1, p2, p3 = parts
	s.put(present=present, p1=p1, p2=p2, p3=p3, mishap=mishap, fix=fix)
	s.say("{Adult} had a birthday soon, and {H} wanted to make {ahim} {present}.",
		"Tomorrow was the birthday of {adult}. \"I will make {present},\" {@said}.",
		"{H} wanted to make {present} for {adult}, because {ahe} had been [so tired|a bit sad|so busy] lately.")
	s.par()
	s.say("{He} needed {p1}, {p2} and {p3}.", "For that {he} needed three things: {p1}, {p2} and {p3}.")
	s.say("{He} found {p1} at home, {F} gave {him} {p2}, and {helperfull} showed {him} where to get {p3}.",
		"{He} {@went} to {place} for {p1}. {F} had {p2}, and {p3} came from the market.",
		"It took {him} all morning to find everything.")
	s.say("{H} worked [very hard|with great care|until it was dark]. But then something went wrong. {mishap}",
		"At first everything went well. But suddenly, {mishap}")
	s.say("\"Oh no!\" {@cried}. \"[Now it is ruined|What shall I do now]?\"".replace(
		"[Now it is ruined|What shall I do now]?",
		s.pick(["Now it is ruined!", "What shall I do now?", "All my work is gone!"])),
		"{H} began to cry. \"Everything is ruined,\" {he} said.")
	s.par()
	s.say("\"Don't cry,\" {@fsaid}. \"We can fix it.\" {fix}",
		"{F} looked at it and thought for a while. \"I know what to do,\" {@fsaid}. {fix}",
		"{H} dried {his} tears and thought hard. {fix}")
	s.say("On the birthday, {H} gave the present to {adult}.",
		"The next day, {adult} opened the door, and there stood {H} with the present.",
		"When {adult} came in, {H} held out the present.")
	s.say("\"It is the most beautiful present I have ever had,\" {@asaid}.",
		"\"Did you make this yourself?\" {@aasked}. {H} nodded, and {ahe} gave {him} a big hug.",
		"{Adult} was so {@happy} that {ahe} [laughed and cried at the same time|danced around the room].")


GIFTS = [
	("a cake", ("flour", "eggs", "honey"), "the bowl fell off the table and broke into pieces.",
		"They took a new bowl and began again, and the second cake was even better."),
	("a necklace", ("a strong thread", "little shells", "a silver bead"),
		"the thread broke and the shells rolled everywhere.",
		"They picked up the shells one by one and tied a double knot."),
	("a flower crown", ("roses", "daisies", "a thin willow branch"), "a goat ate half of the flowers.",
		"They filled the empty places with green leaves, and the crown looked lovely."),
	("a painted card", ("white paper", "red paint", "a fine brush"),
		"a drop of water fell on the paper and made a big spot.",
		"They painted wings on the spot, and it became a bright red butterfly."),
	("a jar of jam", ("berries", "sugar", "a clean glass"), "the pot boiled over and the jam ran down the stove.",
		"There was still enough for one small jar, and they tied a ribbon around it."),
	("a warm cushion", ("blue cloth", "soft wool", "a needle"), "the cloth tore right in the middle.",
		"They sewed a yellow star over the hole, and it looked as if it had always been there."),
	("a wooden bird", ("a piece of wood", "a sharp knife", "some glue"),
		"one wing broke off and fell to the floor.",
		"They glued the wing on again and painted a blue line over the crack."),
	("a birdhouse", ("old boards", "nails", "green paint"), "the roof came off and fell into the mud.",
		"They washed the roof and used longer nails, and then it held."),
]


def tell(s):
	intro(s)
	plot = s.pick([lost_thing, learn_skill, fear, rescue, gift] + plots_more.ALL)
	lesson, wisdom = W.LESSONS[plot.__name__]
	s.put(lesson=lesson, wisdom=wisdom)
	plot(s)
	outro(s)
