#!/bin/sh
# stand-in ollama|vllm...   put the stand-in of an engine where the engine is usually installed
set -eu
kept=/usr/local/lib/testbed
for engine in "$@"; do
    case $engine in
    ollama)
        install -m 755 $kept/fake_ollama.py /usr/local/bin/ollama
        ;;
    vllm)
        # A virtual environment with a console script and the metadata of the distribution.
        site=/opt/vllm/lib/python3.11/site-packages/vllm-0.33.0.dist-info
        mkdir -p /opt/vllm/bin $site /opt/models/tiny
        printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n' \
            > /opt/vllm/pyvenv.cfg
        ln -sf /usr/bin/python3 /opt/vllm/bin/python3
        ln -sf python3 /opt/vllm/bin/python
        install -m 755 $kept/fake_vllm.py /opt/vllm/bin/vllm
        printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.33.0\n' > $site/METADATA
        cp $kept/tiny/* /opt/models/tiny/
        ;;
    *)
        echo "no stand-in for $engine" >&2
        exit 1
        ;;
    esac
done
