# git: a repository with history, branches, a merge, packing and a clone.
PATH=/usr/bin:/bin
command -v git >/dev/null || { echo "SKIPPED: no git"; exit 77; }
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" \
  GIT_COMMITTER_DATE="2020-01-01T00:00:00Z" GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a \
  GIT_COMMITTER_EMAIL=a@b
git init -q -b main repo && cd repo || exit 1
for i in 1 2 3 4 5; do
  echo "line $i" >>file
  mkdir -p dir$i
  echo $i >dir$i/f
  git add .
  git commit -qm "commit $i"
done
git checkout -qb side HEAD~2
echo side >side && git add side && git commit -qm side
git checkout -q main && git merge -q --no-edit side
git log --oneline --graph --stat | cat
git gc -q && git fsck --strict && git count-objects -v | grep -v size
cd .. && git clone -q repo copy && git -C copy log -1 --format=%H%n%T
echo change >>copy/file && git -C copy diff --stat && git -C copy status --short
git -C copy stash -q && git -C copy status --short --branch
