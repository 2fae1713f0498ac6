"""More plot skeletons of the story grammar (see corpus.py)."""

import plots


def honesty(s):
	plots.friend(s)
	item, how, mend = s.pick([
		("blue vase", "the ball hit the blue vase, and it fell to the floor", "glued the vase together"),
		("big window", "the ball flew straight into the big window, and the glass broke",
			"put in a new piece of glass"),
		("old teapot", "the old teapot slipped and broke into three pieces",
			"mended the teapot with strong glue"),
		("jar of honey", "the jar of honey tipped over and broke", "cleaned the floor together"),
		("wooden chair", "there was a loud crack, and one leg of the wooden chair broke off",
			"made a new leg for the chair"),
		("tall lamp", "the tall lamp fell over and broke", "made a new shade for the lamp"),
		("garden fence", "the sled crashed into the garden fence, and two boards broke",
			"nailed new boards to the fence"),
	])
	s.put(item=item, how=how, mend=mend)
	s.say("{@oneday}, {H} was playing [with {F}|alone] at home. {He} was jumping and laughing when suddenly {how}.",
		"{@oneday}, {H} and {F} were running around the house. Suddenly, {how}.",
		"{@oneday}, {H} wanted to show {F} a new game. But {he} was not careful, and {how}.")
	s.say("{H} went pale. \"What will {adult} say?\" {@whispered}.".replace("{adult}", s.slots["aname"]),
		"\"Oh no!\" {@cried}. \"{Aname} will be angry.\"", "For a moment it was very quiet.")
	s.par()
	s.say("{He} hid the pieces [under the bed|behind the shed|in a box] and said nothing.",
		"\"I will say that the wind did it,\" {he} thought.",
		"{H} ran away and hid [in the barn|behind a tree|in {his} room].")
	s.say("But at supper {he} could not eat. {His} stomach hurt, and {he} could not look at {adult}.",
		"But {he} felt worse and worse, and at night {he} could not sleep.",
		"But the secret felt as heavy as a stone.")
	s.maybe(0.5, "\"What is wrong?\" {@aasked}. \"You are so quiet today.\"",
		"\"You should tell the truth,\" {@fsaid}. \"I will come with you.\"")
	s.say("{@atlast}, {H} went to {adult}. \"I broke the {item},\" {he} said. \"I am very sorry.\"",
		"Then {H} took a deep breath. \"It was me,\" {he} said. \"I broke the {item}. I am sorry.\"")
	s.par()
	s.say("{Adult} was silent for a moment. Then {ahe} smiled. \"Thank you for telling me the truth,\" {ahe} said.",
		"\"I am a bit sad about the {item},\" {@asaid}, \"but I am glad that you told me.\"",
		"\"Things can be mended,\" {@asaid}. \"It takes courage to be honest.\"")
	s.say("Together they {mend}.", "The next day, they {mend}, and {F} helped them.")
	s.say("{H} felt [light|happy] again.", "That night, {H} slept well.", "And {H} was more careful after that.")


def share(s):
	item, need, plan, good = s.pick([
		("the swing", "There was only one swing", "take turns",
			"One pushed and the other flew high into the air"),
		("the last piece of cake", "There was only one piece of cake left", "cut it in half",
			"The two halves tasted twice as good"),
		("the red sled", "There was only one sled", "sit on it together",
			"Together they were heavier, and the sled went faster than ever"),
		("the big shell", "There was only one big shell on the whole beach", "listen to it together",
			"They put their heads together, and both could hear the sea"),
		("the paint box", "There was only one paint box", "paint one big picture together",
			"It became the best picture either of them had ever made"),
		("the wooden train", "There was only one wooden train", "build a station together",
			"One drove the train and the other sold the tickets"),
		("the warm blanket", "There was only one blanket, and it was cold", "sit close together under it",
			"Soon they were both warm"),
		("the little boat", "There was only one boat", "row it together",
			"One rowed on the left and one on the right, and the boat went straight"),
	])
	s.put(item=item, need=need, plan=plan, good=good)
	s.say("{H} had a friend, a~ {fkind} [named|called] {F}. They [played together every day|were almost always "
		"together].",
		"{His} best friend was {F}, a~ {trait2} {fkind}.")
	s.par()
	s.say("{@oneday}, they both wanted {item}. {need}.",
		"{@oneday}, they met at {place}. {weather} But then they both wanted {item}. {need}.")
	s.say("\"It is mine!\" {@cried}. \"No, I saw it first!\" {@fcried}.",
		"\"I want it!\" {@said}. \"You always have it,\" {@fsaid}. \"Now it is my turn.\"",
		"{H} pulled on one side, and {F} pulled on the other.")
	s.say("They grew angrier and angrier, and in the end {F} {@went} away.", "Soon neither of them had any fun.",
		"They turned their backs on each other and did not speak a word.")
	s.par()
	s.say("{H} sat there alone. Now {he} had {item} all to {himself}, but it was no fun [at all|without {F}].",
		"{Adult} had seen everything. \"What is more important,\" {ahe} asked, \"{item} or your friend?\" "
		"{H} thought about it.",
		"{Helperfull} came by and shook {hhis} head. \"Two friends and one quarrel,\" {@hsaid}. "
		"\"Is that really worth it?\"")
	s.say("So {H} {@went} to {F}. \"I am sorry,\" {he} said. \"Let us {plan}.\"",
		"Then {H} had an idea. \"{F}, I am sorry,\" {he} said. \"We could {plan}.\"")
	s.say("\"I am sorry too,\" {@fsaid}. \"That is a good idea.\"",
		"{F} smiled. \"Yes, let us do that,\" {fhe} said.")
	s.say("{good}.", "And so they did. {good}.")
	s.maybe(0.6, "They laughed until the sun went down.", "\"This is much better,\" {@said}, and {F} agreed.")


def plant(s):
	plots.friend(s)
	seed, planted, grown, use = s.pick([
		("a tiny black seed", "in a pot on the windowsill", "a sunflower that was taller than the door",
			"The bees came from far away to visit it"),
		("a flat white seed", "in the corner of the garden", "a huge orange pumpkin",
			"It was enough to make soup for the whole village"),
		("a brown bean", "next to the fence", "a bean plant that climbed up to the roof",
			"There were enough beans for everyone"),
		("an apple seed", "behind the house", "a little apple tree with white flowers",
			"Some years later, the first red apple hung on it"),
		("a round brown bulb", "under the window", "a red tulip", "It was the first flower of the spring"),
		("a small yellow seed", "in the soft black soil by the well", "a melon as big as a drum",
			"It was sweet and full of juice"),
	])
	s.put(seed=seed, planted=planted, grown=grown, use=use)
	s.say("{@oneday}, {helperfull} gave {H} {seed}. \"Take good care of it,\" {@hsaid}, \"and you will see a "
		"wonder.\"",
		"{@oneday}, {H} found {seed} near {place}. \"What will it become?\" {@asked}. \"Plant it, "
		"and you will see,\" {@asaid}.")
	s.say("{H} planted it {planted} and gave it some water.",
		"{He} dug a small hole {planted} and put the seed into it.")
	s.par()
	s.say("The next morning, {he} {@went} to look, but there was nothing to see.",
		"One day passed, then two, then three. Nothing happened.")
	s.say("\"Why does it not grow?\" {@asked}. \"You must be patient,\" {@asaid}.",
		"\"Maybe it is asleep,\" {@fsaid}. \"Maybe,\" {@said}, \"but I will wait.\"")
	s.say("Every day, {H} brought water and pulled out the weeds.",
		"{H} watered it every morning and sang to it every evening.")
	s.maybe(0.5, "Once there was a heavy storm, and {he} put a box over it to keep it safe.",
		"Once it was so hot that {he} brought water three times a day.",
		"Once a hungry snail came, and {H} carried it gently to another field.")
	s.par()
	s.say("Then, one morning, a tiny green leaf looked out of the ground. \"It is growing!\" {@cried}.",
		"{@atlast}, something green came out of the earth. {H} [danced|jumped] for joy.")
	s.say("It grew and grew, week after week, and in the end it was {grown}.",
		"Day by day it grew, until it became {grown}.")
	s.say("{use}.")
	s.say("\"You see,\" {@asaid}, \"[good things take time|it only needed time and love].\"",
		"\"I am glad that I waited,\" {@said}.", "{H} kept one seed for the next year.")


def journey(s):
	what, who, trouble, answer = s.pick([
		("a basket of {food}", "an old woman on the other side of the forest", "a wide river with no bridge",
			"a fallen tree that reached to the other side, and {he} walked over it step by step"),
		("a letter", "the man in the lighthouse", "a thick fog, and {he} could not see the path",
			"the sound of the bell, and {he} followed it"),
		("a bag of medicine", "a sick neighbor behind the hill", "a deep ditch across the road",
			"a long board, and {he} laid it over the ditch"),
		("a jug of milk", "{his} cousin in the next village",
			"two paths, and {he} did not know which one was right",
			"fresh footprints in the soft ground, and they led to the village"),
		("a warm coat", "the shepherd high up on the mountain", "strong wind and snow",
			"a small cave, and {he} waited there until the storm was over"),
		("a box of eggs", "the baker at the harbor", "a flock of geese that would not let {him} pass",
			"some corn in {his} bag, and while the geese ate, {he} walked on"),
	])
	s.put(what=what, who=who)
	s.put(trouble=trouble, answer=answer)
	s.say("{@oneday}, {adult} said, \"Please bring this to {who}.\" It was {what}.".replace(
		"{who}", s.slots["who"].replace(
		s.slots["his"] + " cousin", "your cousin")),
		"{@oneday}, {H} had an important task. {He} had to bring {what} to {who}.")
	s.say("\"Stay on the path and be home before dark,\" {@asaid}.",
		"\"I can do that,\" {@said} proudly.".replace(" proudly", ""),
		"{H} put on {his} [hat|scarf|cap] and set off.")
	s.par()
	s.say("{weather} {H} {@went} along the path and sang a little song.", "At first the way was easy. {weather}")
	s.say("But {@then}, {he} came to {trouble}.".replace("{@then}", "soon"),
		"Halfway there, {he} came to {trouble}.")
	s.say("\"What shall I do now?\" {@asked}.", "{H} wanted to turn back. But then {he} thought of {who}.")
	s.say("There {he} met {helperfull}. \"Look around you,\" {@hsaid}. \"The answer is often very near.\"",
		"{H} sat down and thought. \"There must be a way,\" {he} said to {himself}.")
	s.say("{He} looked carefully, and then {he} found {answer}.", "And really, {he} found {answer}.")
	s.par()
	s.put(thanks2="[\"You came all this way for me?\" asked|\"How kind of you to come,\" said|"
		"\"I have been waiting for you,\" said] a friendly voice.")
	s.say("In the afternoon, {H} reached the end of the road. {thanks2}",
		"{@atlast}, {he} knocked at the door. {thanks2}")
	s.say("{H} handed over {what} and was given [a cup of hot milk|a warm bun|a seat by the fire].",
		"{He} was invited in and got [a bowl of soup|a piece of cake|some sweet tea].")
	s.say("Before the sun went down, {H} was home again.",
		"The way back was much shorter, and soon {he} could see the lights of home.")
	s.say("\"Were you afraid?\" {@aasked}. \"Only a little,\" {@said}.",
		"{Adult} was waiting at the door. \"Well done,\" {ahe} said.")


def wish(s):
	who, caught, act, glow = s.pick([
		("a golden fish", "It lay on the sand, far from the water", "carried it back to the lake",
			"shone in the water"),
		("a little star", "It had fallen from the sky into the grass", "lifted it high up on the tallest hill",
			"glowed softly"),
		("a silver bird", "It was sitting in a cage in an empty garden", "opened the door of the cage",
			"sang a bright note"),
		("a tiny snowman", "It stood in the sun and was about to melt", "built a roof of branches over it",
			"waved its arms"),
		("an old lamp", "It was covered with mud", "washed it in the stream", "began to glow"),
		("a green firefly", "It was caught in a spider's web", "opened the web with a blade of grass",
			"blinked three times"),
	])
	wishes = [
		("new shoes", "rain for the dry fields",
			"That same night, it began to rain, and soon the fields were green"),
		("a big box of sweets", "good health for my sick friend {F}",
			"The next morning, {F} was well again and came to play"),
		("a castle", "a warm roof for the old widow next door",
			"The next morning, the old house had a new roof, and smoke rose from the chimney"),
		("a bag of gold", "a bridge over the wild river",
			"The next day, there was a strong white bridge, and everyone could cross"),
		("a crown", "a way home for all lost animals",
			"That evening, every lost animal in the valley found its way home"),
		("a hundred toys", "a friend for my lonely neighbor {F}",
			"The next day, {F} was no longer alone, because {F} and {H} had become friends"),
	]
	self_wish, good, result = s.pick(wishes)
	who_short = " ".join(who.split()[1:])
	s.put(who=who, ws=who_short, caught=caught, act=act, glow=glow)
	s.put(sw=self_wish, good=good, result=result)
	s.say("{@oneday}, near {place}, {H} found {who}. {caught}.",
		"{@oneday}, {H} {@went} to {place}. {weather} There {he} saw {who}. {caught}.")
	s.say("\"You poor thing,\" {@said}. {He} {act}.", "{H} did not wait. {He} {act}.",
		"\"Please help me,\" it whispered. So {H} {act}.")
	s.par()
	s.say("The {ws} {glow}. \"You have a good heart,\" it said. \"You may make one wish.\"",
		"Then something wonderful happened. The {ws} {glow} and said, \"You helped me. Now I will grant you a "
		"wish.\"")
	s.say("\"A wish!\" {@cried}. At first {he} thought of {sw}.",
		"{H} thought for a long time. Should {he} wish for {sw}?")
	s.say("But then {he} thought of something better. \"I wish for {good},\" {@said}.",
		"\"{sw2}?\" {he} thought. \"No, there is something more important.\" Then {he} said, "
		"\"I wish for {good}.\"".replace(
			"{sw2}", s.slots["sw"][0].upper() + s.slots["sw"][1:]))
	s.par()
	s.say("\"That is a good wish,\" said the {ws}, and then it was gone.",
		"The {ws} [nodded|smiled] and disappeared in a flash of light.")
	s.say("{result}.")
	s.say("Nobody knew how it had happened. Only {H} knew, and {he} smiled.",
		"{H} told {adult} about it. \"You wished well,\" {ahe} said.",
		"Everyone was {@happy}, and {H} was the happiest of all.")


def mystery(s):
	sound, where, guess, truth, after = s.pick([
		("a strange knocking", "in the attic", "a ghost", "a~ woodpecker had come in through the window",
			"They opened the window, and it flew away with a loud cry"),
		("a soft crying", "behind the wall", "a monster", "a kitten had fallen between the boards",
			"They gave it a bowl of milk, and it fell asleep at once"),
		("a loud snoring", "in the barn", "a giant", "a~ small brown bear had made a bed in the hay",
			"They closed the door very quietly and let it sleep until spring"),
		("a scratching noise", "under the floor", "a dragon", "a family of mice was moving into a new home",
			"They left a piece of cheese in front of the hole"),
		("a quiet music", "in the garden", "a fairy",
			"the wind was playing on the strings of an old broken harp",
			"They mended the harp and hung it in a tree"),
		("a deep humming", "in the hollow tree", "a magic spell", "a thousand bees had built their house there",
			"The bees gave them a little honey"),
		("a rattling", "in the kitchen", "a thief", "a hungry hedgehog had its head in a jar",
			"They pulled off the jar and gave it an apple"),
	])
	s.put(sound=sound, where=where, guess=guess, truth=truth, after=after)
	s.say("{@oneday}, {H} heard {sound} {where}.", "One night, {H} woke up. There was {sound} {where}.")
	s.say("\"What was that?\" {@whispered}.", "{He} held {his} breath and listened. There it was again!")
	s.par()
	s.say("In the morning, {he} told {fintro}. \"Maybe it is {guess},\" {@fsaid}, and {fhis} eyes were big.",
		"{He} {@went} to {fintro} and told {fhim} everything. \"That must be {guess}!\" {@fcried}.")
	s.say("\"There is only one way to find out,\" {@said}. \"We have to look.\"",
		"\"Will you come with me?\" {@asked}. {F} swallowed and nodded.")
	s.say("They took a lantern and [crept|tiptoed] closer, one behind the other.",
		"That evening, they hid and waited. It became dark, and their hearts beat fast.")
	s.say("There it was again: {sound}! {F} [held on to {H}|closed {fhis} eyes].",
		"Now the noise was very near. \"I am a bit afraid,\" {@whispered}. \"Me too,\" {@fsaid}.")
	s.par()
	s.say("{H} lifted the lantern, and they began to laugh. It was not {guess} at all: {truth}.",
		"Slowly, they looked inside. There was no sign of {guess}. {truth2}!".replace("{truth2}",
			s.slots["Truth"].replace("A~", "A")))
	s.say("{after}.")
	s.say("\"And we were so afraid!\" {@said}.", "\"It is good that we looked,\" {@fsaid}.",
		"\"Next time, I will not be afraid so quickly,\" {@said}.")


def contest(s):
	what, prep, event, slip = s.pick([
		("the great race", "ran around {place} every morning", "{H} was in front, and the finish was near",
			"tripped over a root and hurt {fhis} foot"),
		("the boat race", "practiced on the lake every evening", "{H} was first, and the flag was near",
			"fell into the water and called for help"),
		("the sandcastle contest", "built towers of sand every day", "{H} needed only one more tower",
			"lost {fhis} whole castle to a big wave"),
		("the sled race", "rode down the hill again and again", "{H} was faster than all the others",
			"drove into a snowdrift and got stuck"),
		("the baking contest", "baked a new cake every day", "{H} had the most beautiful cake of all",
			"dropped the sugar and had nothing left"),
		("the kite contest", "built a new kite every week", "the kite of {H} flew higher than all the others",
			"let go of the string, and the kite of {F} hung in a tree"),
	])
	s.put(what=what)
	s.put(prep=prep, event=event, slip=slip)
	s.say("Every {season}, there was {what}, and this year {H} wanted to win.",
		"\"This year, I will win {what},\" {@said}.",
		"In a week, there would be {what}, and {H} could think of nothing else.")
	s.say("{He} {prep}. So did {F}, a~ {fkind} who lived nearby.",
		"{He} {prep}, and so did {F}, a~ {fkind} who also wanted to win.")
	s.maybe(0.5, "\"The most important thing is to have fun,\" {@asaid}.",
		"\"Good luck,\" {@fsaid} kindly.".replace(" kindly", ""))
	s.par()
	s.say("Then the day came. {weather} Everybody was there.", "{@atlast}, the big day came. {weather}")
	s.say("\"One, two, three, go!\" cried the judge.", "A bell rang, and it began.")
	s.say("{event}. But then {F} {slip}.", "Everything went well. {event}. Just then, {F} {slip}.")
	s.say("{H} saw it. \"If I stop now, I will lose,\" {he} thought.",
		"{H} looked ahead, and {he} looked back. What should {he} do?")
	s.par()
	s.say("Then {he} turned around and {@went} to {F}. \"Come, I will help you,\" {he} said.",
		"But {he} could not leave a friend alone. {He} stopped and helped {F}.")
	s.say("So someone else won, and {H} and {F} came in last, side by side.",
		"The others were faster, and in the end {H} and {F} were the very last.")
	s.say("But everyone clapped for them, louder than for the winner.",
		"But the judge gave {H} a special prize. \"This is for the best heart,\" said the judge.",
		"\"You lost because of me,\" {@fsaid}. \"No,\" {@said}, \"I won a friend.\"")


def lost_baby(s):
	plots.friend(s)
	who, mother, place, sign = s.pick([
		("duckling", "duck", "the pond behind the mill", "small footprints in the mud"),
		("kitten", "cat", "the old farmhouse", "a trail of milk drops"),
		("lamb", "sheep", "the green hill", "bits of white wool on the bushes"),
		("puppy", "dog", "the house by the harbor", "the smell of fish in the wind"),
		("fawn", "deer", "the edge of the forest", "the broken grass on the path"),
		("chick", "hen", "the yellow barn", "a line of little feathers"),
		("foal", "mare", "the field by the river", "the deep hoofprints on the road"),
	])
	name = s.pick(["Dot", "Bean", "Fluffy", "Tiny", "Star", "Spot", "Moss", "Snow"])
	s.put(baby=who, mother=mother, bplace=place, sign=sign)
	s.slots["B"] = name
	s.say("{@oneday}, {H} found a little {baby} {spot}. It was all alone and [shivering|crying].",
		"{@oneday}, a little {baby} stood in front of the door and looked at {H} with big eyes.")
	s.say("\"Hello, little one,\" {@said}. \"Where is your mother?\"",
		"\"Are you lost?\" {@asked}. The {baby} did not answer.")
	s.say("{He} called it {B}, wrapped it in a warm cloth and gave it something to eat.",
		"{He} gave it some food and called it {B}.")
	s.par()
	s.say("{B} followed {him} everywhere, and {H} would have liked to keep it. But {adult} said, \"Its mother will "
		"be looking for it.\"",
		"\"May I keep {B}?\" {@asked}. {Adult} shook {ahis} head. \"Think of its mother,\" {ahe} said.")
	s.say("{H} was sad, but {he} knew that it was true. So they set off to find the mother.",
		"So {H} asked {F} for help, and together they set off.")
	s.say("First they asked {helperfull}. \"I have seen a~ {mother} at {bplace},\" {@hsaid}.",
		"On the way, they found {sign}. It led to {bplace}.",
		"They walked through {place} and called, but nobody answered. Then they saw {sign}.")
	s.par()
	s.say("And there, at {bplace}, was a~ {mother}. When she saw {B}, she gave a loud cry of joy.",
		"At {bplace}, they heard a~ {mother} calling. {B} ran to her as fast as it could.")
	s.say("{H} felt a bit [sad|lonely], but also {@very} {@happy}.", "\"Goodbye, {B},\" {@whispered}.")
	s.say("After that, {H} went to {bplace} every week, and {B} always came to say hello.",
		"\"We will visit you soon,\" {@fsaid}. And they did.",
		"Before they left, {B} came back once more and rubbed its head against {his} leg.")


def rainy_day(s):
	game, things, story = s.pick([
		("a ship", "two chairs, a broom and a sheet",
			"They sailed over a stormy sea, met a whale and found an island full of {food}"),
		("a castle", "some boxes and a blanket",
			"The king gave a feast with {food}, and a dragon came to the party"),
		("a train", "all the chairs of the house",
			"It went through tunnels and over mountains and stopped at the sea"),
		("a theater", "a curtain, a lamp and two old hats",
			"They played a story about a brave knight who was afraid of mice"),
		("a flying balloon", "a basket and a big red cloth", "They flew over the clouds and waved to the moon"),
		("a cave", "a table and three blankets", "Inside they found treasure made of buttons and spoons"),
		("a shop", "a box of buttons and some nuts", "They sold {food} for one button and jokes for two"),
	])
	s.put(game=game, things=things)
	s.put(story=story)
	s.say("{@oneday}, it rained and rained. {H} stood at the window and watched the drops.",
		"It had been raining for three days, and {H} was tired of it.")
	s.say("\"I am so bored,\" {@said}. \"There is nothing to do.\"",
		"\"When will it stop?\" {@asked}. \"Not today,\" {@asaid}.")
	s.par()
	s.say("Then there was a knock at the door. It was {fintro}, and {fhe} was wet from head to toe.",
		"Just then, {fintro} came in and shook the water off. \"What shall we play?\" {fhe} asked.")
	s.say("They looked around. They found {things}. \"I know!\" {@cried}. \"We will build {game}!\"",
		"\"Let us build {game},\" {@fsaid}. \"All we need is {things}.\"")
	s.say("So they [pushed and pulled|worked and laughed] until it was finished.",
		"It took them an hour, and then it was ready.")
	s.say("{story}.")
	s.maybe(0.7, "{Adult} looked in and laughed. \"May I play too?\" {ahe} asked. \"Of course,\" {@said}.",
		"Once it almost fell down, but {F} held it fast.")
	s.par()
	s.say("They did not even notice that the rain had stopped.",
		"When they looked out of the window again, there was a rainbow over {place}.",
		"Suddenly the sun came out, but they wanted to go on playing inside.")
	s.say("\"I hope that it rains tomorrow too,\" {@said}, and {F} laughed.",
		"\"That was the best rainy day ever,\" {@fsaid}.")


def new_friend(s):
	s.say("{@oneday}, a new neighbor came. It was a~ {fkind} [named|called] {F}, and {fhe} did not know anyone.",
		"{@oneday}, {H} saw a~ {fkind} sitting alone at {place}. {Fhis} name was {F}.")
	s.say("{F} was {@very} shy and hardly spoke a word.", "The others played, but {F} only watched from far away.")
	s.par()
	s.say("\"Would you like to play with me?\" {@asked}. {F} looked at the ground and said nothing.",
		"\"Hello, I am {H},\" {@said}. \"What do you like to do?\" But {F} only shook {fhis} head.")
	s.say("{H} was a bit [sad|hurt], but {he} did not give up.",
		"\"Give {fhim} time,\" {@asaid}. \"Try again tomorrow.\"")
	s.say("The next day, {H} brought {food} and put half of it next to {F}.",
		"The next day, {H} brought {his} {adj} {thing} and laid it on the grass between them.",
		"The next day, {H} sat down beside {F} and told {fhim} a funny story.")
	s.say("{F} looked up and smiled for the first time.", "A small smile came over the face of {F}.")
	s.par()
	s.say("\"I was afraid that nobody would like me,\" {@fsaid}.",
		"\"In my old home, I had a friend like you,\" {@fsaid}. \"I miss that.\"")
	s.say("\"I like you,\" {@said}. \"[Come, let us go to {place}|Let us build a house in the tree|Let me show you "
		"my favorite place].\"")
	s.say("They played all afternoon, and it turned out that {F} could [tell the best jokes|run like the wind|sing "
		"beautifully|build wonderful things].",
		"Soon they were running and laughing as if they had always known each other.")
	s.maybe(0.6, "When the others saw that, they came and played too.", "And {F} was not shy anymore.")


def trade(s):
	"""A small trade chain: one thing for another until everybody has what they need."""
	chain = {"baker": ("woodcutter", "weaver"), "miller": ("baker", "woodcutter"),
		"woodcutter": ("weaver", "beekeeper"), "weaver": ("beekeeper", "miller"),
		"beekeeper": ("miller", "baker")}
	gives = {"baker": "a loaf of bread", "miller": "a sack of flour", "woodcutter": "some wood",
		"weaver": "a warm pair of socks", "beekeeper": "a jar of honey"}
	p1 = s.pick(sorted(chain))
	p2, p3 = chain[p1]
	s.put(p1=p1, p2=p2, p3=p3, g1=gives[p1], g2=gives[p2], g3=gives[p3])
	s.say("{@oneday}, {H} wanted {g1} for {adult}, but {he} had no money. So {he} {@went} to the {p1}.",
		"{@oneday}, {adult} was ill. \"{g1c} would be nice,\" {ahe} said. So {{H}} {@went} to the "
		"{p1}.".replace(
			"{g1c}", s.slots["G1"]).replace("{{H}}", "{H}"))
	s.say("\"I will give you {g1},\" said the {p1}, \"if you bring me {g2}.\"")
	s.par()
	s.say("So {H} {@went} to the {p2}. \"I will give you {g2},\" said the {p2}, \"if you bring me {g3}.\"")
	s.say("So {H} {@went} to the {p3}. \"May I have {g3}?\" {@asked}. \"I have nothing to give, but I can work.\"")
	s.say("\"Then [sweep the yard|carry the water|feed the hens|stack the boxes] for me,\" said the {p3}, "
		"and {H} did it well.",
		"The {p3} smiled. \"Help me until noon,\" said the {p3}, and {H} worked hard.")
	s.par()
	s.say("{H} got {g3} and brought it to the {p2}. The {p2} gave {him} {g2}, and {he} carried it to the "
		"{p1}.".replace(
		"brought it", "brought it" if s.slots["g3"] != "a warm pair of socks" else "brought them"),
		"Then {he} brought {g3} to the {p2}, and {he} brought {g2} to the {p1}.")
	s.say("{@atlast}, {H} had {g1}.", "And so {H} got {g1} in the end.")
	s.say("\"How did you get that?\" {@aasked}. \"With my own two hands,\" {@said}.".replace("hands",
		"hands" if s.child else "paws"),
		"\"You are a clever {kind},\" {@asaid}, and {ahe} was very {@happy}.")


ALL = [honesty, share, plant, journey, wish, mystery, contest, lost_baby, rainy_day, new_friend, trade]
