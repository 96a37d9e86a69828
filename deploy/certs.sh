#!/bin/sh
# Makes the certificates of a swarm with openssl: a CA, a certificate of the NATS servers, and one of their clients.
#   certs.sh DIR [NAME…]      NAME: a host name or IP address of the servers, beside nats-1, nats-2, nats-3, localhost and 127.0.0.1
# It writes ca.crt, tls.crt and tls.key (servers), client.crt and client.key, each valid for a year, and ca.key. Keep ca.key apart from
# the machines that run the swarm. Existing files are kept: remove tls.crt or client.crt and run it again to make that one anew.
set -eu

DAYS=365
CA_DAYS=3650

[ $# -ge 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
command -v openssl >/dev/null 2>&1 || { echo 'certs.sh: openssl is needed; install it' >&2; exit 3; }
dir=$1
shift
umask 077
mkdir -p "$dir"

# names NAME…: the names as openssl's subjectAltName.
names() {
  list=
  for name in "$@"; do
    case $name in *[!0-9.]*) kind=DNS ;; *) kind=IP ;; esac
    case $name in *:*) kind=IP ;; esac
    list=$list${list:+,}$kind:$name
  done
  printf '%s' "$list"
}

# sign NAME SUBJECT EXTENSIONS: a key and a certificate of the CA, unless the certificate is there.
sign() {
  [ ! -e "$dir/$1.crt" ] || return 0
  work=$(mktemp -d)
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/key"
  openssl req -new -key "$work/key" -subj "/CN=$2" -out "$work/request"
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' "$3" >"$work/extensions"
  openssl x509 -req -in "$work/request" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days "$DAYS" \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/extensions" -out "$work/crt" 2>/dev/null
  mv "$work/key" "$dir/$1.key"
  mv "$work/crt" "$dir/$1.crt"
  rm -r "$work"
}

if [ ! -e "$dir/ca.crt" ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key"
  openssl req -x509 -new -key "$dir/ca.key" -days "$CA_DAYS" -subj '/CN=murmur' -out "$dir/ca.crt" \
    -addext 'keyUsage=critical,keyCertSign,cRLSign'
fi
# A server is the client of the other servers, so its certificate is for both.
sign tls nats "extendedKeyUsage=serverAuth,clientAuth
subjectAltName=$(names nats-1 nats-2 nats-3 localhost 127.0.0.1 "$@")"
sign client murmur-client 'extendedKeyUsage=clientAuth'
chmod 644 "$dir/ca.crt" "$dir/tls.crt" "$dir/client.crt"
