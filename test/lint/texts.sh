#!/bin/sh
# Manual pages, shell and python files parse; shellcheck where it is there.
cd "$(dirname "$0")/../.." || exit 1
bad=0

for f in man/*.[15]; do
	[ -f "$f" ] || continue
	# Pages that are not installed on this machine are no fault.
	out=$(mandoc -T lint -W style "$f" 2>&1 |
	    grep -v -e 'referenced manual not found' -e 'outdated mandoc.db')
	[ -z "$out" ] || { printf '%s\n' "$out"; bad=1; }
done

for f in setup.sh boot/sess.init test/*/*.sh; do
	[ -f "$f" ] || continue
	sh -n "$f" || bad=1
	if command -v shellcheck >/dev/null 2>&1; then
		shellcheck -s sh "$f" || bad=1
	fi
done
for f in .ci/run completions/sess.bash; do
	[ -f "$f" ] || continue
	bash -n "$f" || bad=1
	if command -v shellcheck >/dev/null 2>&1; then
		shellcheck -s bash "$f" || bad=1
	fi
done
if command -v zsh >/dev/null 2>&1; then
	zsh -n completions/_sess || bad=1
fi
if command -v fish >/dev/null 2>&1; then
	fish -n completions/sess.fish || bad=1
fi

for f in test/*.py test/*/*.py; do
	python3 -c 'import sys
for f in sys.argv[1:]:
    compile(open(f).read(), f, "exec")' "$f" || bad=1
done

[ "$bad" -ne 0 ] || echo "texts: manuals, shell and python parse"
exit "$bad"
