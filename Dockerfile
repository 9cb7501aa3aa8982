# The two commands in a container of their own:
#
#   docker build --tag anarchy:0.1.0 .
#   docker run --name paper anarchy:0.1.0 quick     # or all, test: what ./reproduce takes
#   docker cp paper:/anarchy/build/quick/paper/main.pdf .
#
# docs/scaling.md tells what else it is for.
FROM python:3.11.7-bookworm

# Machine code of the simulator that runs on any processor, not only on that which makes the image.
ENV NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES=""

WORKDIR /anarchy
COPY . .

# Packages, machine code of the simulator and LaTeX, once and for all containers.
RUN ./reproduce setup && rm -rf /root/.cache /var/lib/apt/lists/*

ENTRYPOINT ["./reproduce"]
CMD ["all"]
