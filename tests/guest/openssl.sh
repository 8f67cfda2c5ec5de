# openssl: digests, ciphers, keys, certificates, and a TLS connection over loopback.
PATH=/usr/bin:/bin
command -v openssl >/dev/null || { echo "SKIPPED: no openssl"; exit 77; }
seq 1 5000 >data
openssl dgst -sha256 data; openssl dgst -sha3-512 data; openssl md5 <data
openssl enc -aes-256-ctr -K 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -iv 00 -in data 2>/dev/null | openssl md5
openssl enc -aes-256-cbc -pbkdf2 -pass pass:secret -in data -out e && openssl enc -d -aes-256-cbc -pbkdf2 -pass pass:secret -in e | cmp - data && echo round trip
openssl rand 64 | wc -c
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key 2>/dev/null; stat -c %a key
openssl dgst -sha256 -sign key -out sig data; openssl pkey -in key -pubout -out pub; openssl dgst -sha256 -verify pub -signature sig data
openssl req -x509 -new -key key -subj /CN=localhost -days 2 -out cert 2>/dev/null; openssl x509 -in cert -noout -subject
openssl verify -CAfile cert cert
for port in 44330 44331 44332 44333; do
  openssl s_server -accept 127.0.0.1:$port -key key -cert cert -naccept 1 -WWW >server.log 2>&1 &
  while kill -0 $! 2>/dev/null; do
    printf 'GET /data HTTP/1.0\r\n\r\n' |
      openssl s_client -connect 127.0.0.1:$port -CAfile cert -verify_return_error -quiet 2>/dev/null >answer
    [ -s answer ] && break
    sleep 0.05
  done
  wait
  [ -s answer ] && break
done
head -n 1 answer; openssl md5 <answer
