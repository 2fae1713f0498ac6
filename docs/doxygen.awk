# doxygen.awk - what Doxygen reads instead of a public header. The headers are written for people, with plain comments;
# here they become Doxygen's: before a declaration, behind a member, a section as a group, LEAT_STATUS_MAP as an enum.
function begin_group(title,   id) {
	id = title
	gsub(/[^a-z]+/, "_", id)
	line = (group ? "/** @} */ " : "") "/** @defgroup " id " " title
	print line
	print " * @{ */"
	group = 1
}
FNR == 1 && /^\/\* [a-z]+\.h - / {
	sub(/^\/\* [a-z]+\.h - /, "/** @file\n * ")
	print
	next
}
/^\/\* ---- .* -+ \*\/$/ {
	sub(/^\/\* ---- /, "")
	sub(/ -+ \*\/$/, "")
	begin_group($0)
	next
}
# X(NAME, value, "text") of the status map becomes the enumerator that it makes.
/^\tX\(/ {
	text = $0
	sub(/^[^"]*"/, "", text)
	sub(/".*/, "", text)
	split($0, part, /[(,]/)
	gsub(/ /, "", part[3])
	statuses = statuses "\tLEAT_" part[2] " = " part[3] ", /**< " text " */\n"
	print ""
	next
}
/LEAT_STATUS_MAP\(X\)$/ && !/define/ {
	printf "%s", statuses
	next
}
/^#define LEAT_STATUS_MAP/ || /^#define X\(/ || /^#undef X/ { print ""; next }
/^#define LEAT_[A-Z_]*_INIT/ { print "/** Initialises the structure of this name. */" }
/^#define leat_request_params_init/ { print "/** leat_request_params_fill for the caller's own structure. */" }
/^#ifdef __cplusplus/ && group && seen_extern { print "/** @} */"; group = 0 }
/^extern "C"/ { seen_extern = 1 }
/^\tuint32_t struct_size;$/ { $0 = $0 " /* sizeof the structure, as the caller knows it */" }
/^\t[a-z0-9_]+ reserved[0-9]*(\[[0-9]+\])?;$/ { $0 = $0 " /* zero */" }
# Names that share a type share their remark; Doxygen would give it to the last alone.
/^\t[a-z0-9_]+ [a-z0-9_]+(, [a-z0-9_]+)+;[ ]+\/\* / {
	remark = $0
	sub(/^[^;]*;[ ]+\/\* /, "/**< ", remark)
	names = $0
	sub(/;.*/, "", names)
	sub(/^\t/, "", names)
	type = names
	sub(/ .*/, "", type)
	sub(/^[^ ]* /, "", names)
	n = split(names, name, ", ")
	# A remark that goes on in the next line goes on behind the last name.
	short = remark ~ /\*\/$/ ? remark : remark " */"
	for (i = 1; i < n; i++)
		printf "\t%s %s; %s", type, name[i], short
	print "\t" type " " name[n] "; " remark
	next
}
/^\/\*/ { sub(/^\/\*/, "/**") }
/^\t\/\*/ { sub(/\/\*/, "/**") }
/[^ \t].*[ \t]\/\* / { sub(/\/\* /, "/**< ") }
{ print }
