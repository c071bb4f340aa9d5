# Installs what is to be tried as a package would, in the overlay that goes with the systemd it runs under: $COPY, the built
# package, and $NODE; then does what $ACTION says. The units run where neither /home nor /tmp is to be seen.
cp -r "$COPY" /usr/lib/fd-broker
[[ $NODE -ef /usr/bin/node ]] || cp --remove-destination "$NODE" /usr/bin/node
ln -sf /usr/lib/fd-broker/dist/cli/fd-broker /usr/bin/fd-broker
mkdir -p /etc/fd-broker
cp "$UNITS/broker.toml" /etc/fd-broker/
eval "$ACTION"
