# docker build --tag lenscast .
# docker run --rm --volume "$PWD:/forecast" --user "$(id -u):$(id -g)" lenscast init
# docker run --rm --volume "$PWD:/forecast" --user "$(id -u):$(id -g)" lenscast run
FROM python:3.13-slim
COPY . /lenscast
RUN pip install --no-cache-dir --no-deps --requirement /lenscast/requirements.lock /lenscast && rm -r /lenscast
# a user without a home has caches too
ENV HOME=/tmp
WORKDIR /forecast
ENTRYPOINT ["lenscast"]
