# ffprobe of a generated MP4: format, streams, packets and decoded frames.
PATH=/usr/bin:/bin
command -v ffmpeg >/dev/null || { echo "SKIPPED: no ffmpeg"; exit 77; }
ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 2 \
  -c:v mpeg4 -threads 1 -g 10 -c:a aac -fflags +bitexact -flags:v +bitexact -flags:a +bitexact in.mp4
md5sum in.mp4
ffprobe -v error -threads 1 -show_format -show_streams -count_frames -count_packets -of json in.mp4
ffprobe -v error -threads 2 -show_packets -show_frames -of compact in.mp4 | md5sum
truncate -s 20000 in.mp4; ffprobe -v quiet in.mp4; echo $?
