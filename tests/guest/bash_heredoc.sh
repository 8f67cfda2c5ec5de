# Here-documents, here-strings and process substitution, small (a pipe in bash) and large (a file).
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat >t.bash <<'SCRIPT'
name=world
cat <<END
hello $name $(echo substituted) $((6 * 7))
END
cat <<'END'
literal $name $(no)
END
cat <<-END
	tabs removed
	  spaces kept
	END
tr a-z A-Z <<<"here string $name"
read -r a b <<<'1 2'; echo "$b$a"
cat <<A; cat <<B
first
A
second
B
cat 3<<THREE <&3
on descriptor three
THREE
f() { cat; } <<END
of a function
END
f
big=$(seq 1 40000)
wc -c <<<"$big"; md5sum <<END
$big
END
diff <(seq 1 5) <(seq 2 6); echo diff $?
paste <(printf '1\n2\n') <(printf 'a\nb\n') <(printf 'x\ny\n')
comm -12 <(seq 1 2 99 | sort) <(seq 1 3 99 | sort) | wc -l
seq 1 9 > >(sed 's/^/out /' >sub; echo done >subdone); while [ ! -s subdone ]; do sleep 0.01; done; wc -l <sub
mapfile -t lines < <(seq 10 12); echo "${#lines[@]} ${lines[2]}"
cat <(cat <(cat <(echo nested)))
while IFS=: read -r user _ uid _; do [ "$uid" = 0 ] && echo "$user"; done </etc/passwd
echo end
SCRIPT
exec bash t.bash
