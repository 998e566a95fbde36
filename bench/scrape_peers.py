"""How bench/scrape.py starts the other tools: each with the list urls.txt, into the folder out."""

from pathlib import Path

SPIDER = """
import scrapy
class Files(scrapy.Spider):
    name = "files"
    custom_settings = {
        "ITEM_PIPELINES": {"scrapy.pipelines.files.FilesPipeline": 1}, "FILES_STORE": "out",
        "CONCURRENT_REQUESTS": %(jobs)d, "CONCURRENT_REQUESTS_PER_DOMAIN": %(jobs)d,
        "LOG_LEVEL": "WARNING", "TELNETCONSOLE_ENABLED": False,
    }
    async def start(self):
        yield {"file_urls": open("urls.txt").read().split()}
"""


def peers(folder: Path, jobs: int) -> dict[str, list[str]]:
    """Return name -> command of every tool that has a virtual environment in `folder`."""
    words = {
        "gallery-dl": ["--config-ignore", "-q", "-d", "out", "-i", "urls.txt"],
        "scrapy": ["runspider", "spider.py"],
        "img2dataset": [
            "--url_list", "urls.txt", "--output_folder", "out", "--output_format", "files",
            "--processes_count", "1", "--thread_count", str(jobs),
            "--resize_mode", "no", "--disable_all_reencoding", "True",
        ],
    }  # fmt: skip
    programs = {name: folder.resolve() / f"venv-{name}/bin" / name for name in words}
    return {n: [str(program), *words[n]] for n, program in programs.items() if program.exists()}
