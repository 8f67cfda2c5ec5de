# ffmpeg and ffprobe: version, build options, lists of codecs, formats and filters.
PATH=/usr/bin:/bin
command -v ffmpeg >/dev/null || { echo "SKIPPED: no ffmpeg"; exit 77; }
ffmpeg -version; echo $?
ffprobe -version | head -n 1
for list in codecs filters; do ffmpeg -hide_banner -$list 2>/dev/null | md5sum; done
ffmpeg -v error -i nosuchfile.mp4 -f null - </dev/null; echo $?
