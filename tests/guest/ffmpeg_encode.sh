# An x264 and AAC encode on two threads, a transport stream and a pipe: the output is the same byte for byte.
# Without x264's lookahead thread, whose results differ now and then, natively too.
PATH=/usr/bin:/bin
command -v ffmpeg >/dev/null || { echo "SKIPPED: no ffmpeg"; exit 77; }
exact="-fflags +bitexact -flags:v +bitexact -flags:a +bitexact"
ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 2 \
  -c:v libx264 -preset veryfast -threads 2 -x264-params sync-lookahead=0 -g 25 -pix_fmt yuv420p -c:a aac $exact out.mp4
echo $?
md5sum out.mp4
ffmpeg -v error -nostdin -y -i out.mp4 -c copy $exact out.ts -c:v libx264 -preset ultrafast -threads 2 -x264-params sync-lookahead=0 -bf 0 -c:a copy $exact -f mpegts - |
  ffmpeg -v error -threads 2 -i - -map 0 -f framemd5 - | md5sum
md5sum out.ts
ls
