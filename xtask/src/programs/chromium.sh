FONTCONFIG_FILE=$root/fonts.conf
export FONTCONFIG_FILE
# The library for PulseAudio has a part in a folder of its own.
for libraries in "$root"/usr/lib/*-linux-gnu/pulseaudio; do
  LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$libraries
done
